-- Nonces of members' signed requests (protocol §8, "Members only"), shared by all instances so that each is good once.
-- They are kept for as long as their requests could be sent again, and say nothing afterwards.
create table request_nonces (
  app text collate "C" not null,
  -- SHA-256 of the signer, a line feed, and the nonce.
  digest bytea not null,
  -- Milliseconds since 1970: the last moment at which the request is fresh.
  expires bigint not null,
  primary key (app, digest)
);

create index request_nonces_by_expiry on request_nonces (app, expires);

grant select, insert, delete on request_nonces to peerstack_registrar;
