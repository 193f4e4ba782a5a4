-- How far an app's webhook has been told, and which instance tells it.
create table webhook_cursors (
  app text collate "C" primary key,
  -- The index of the first entry that the receiver has not taken yet.
  next_index bigint not null,
  -- The instance that delivers, by a number it has drawn; empty: none yet.
  holder bytea not null,
  -- Milliseconds since 1970 by the database's clock, which is the same for all instances: until then nobody else does.
  leased_until bigint not null
);

grant select, insert, update on webhook_cursors to peerstack_registrar;
