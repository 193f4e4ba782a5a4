-- Entries are the truth and are only ever inserted; apps, users and used_keys follow from them, and `registrar check`
-- compares. Every table but registrar_key begins with the app, so that an app can be a shard.

create table apps (
  app text collate "C" primary key,
  -- How many entries there are: the index of the next one.
  next_index bigint not null,
  -- Milliseconds since 1970: no later entry is accepted before it.
  last_accepted bigint not null,
  -- How many ids have an entry.
  user_count bigint not null,
  -- The index of the policy in force.
  policy_index bigint not null,
  -- When it was created, in milliseconds since 1970.
  created bigint not null
);

create table entries (
  app text collate "C" not null,
  index bigint not null,
  accepted bigint not null,
  -- Null for a rival claim.
  effective bigint,
  -- Null for claims, adjudications and policies.
  rank smallint,
  -- Null for a policy.
  subject text collate "C",
  -- SHA-256 of `record`.
  hash bytea not null,
  -- The canonical JSON that was signed, signature included.
  record bytea not null,
  primary key (app, index)
);

create unique index entries_by_hash on entries (app, hash);
create index entries_by_subject on entries (app, subject, index);

create table users (
  app text collate "C" not null,
  subject text collate "C" not null,
  entry_count bigint not null,
  last_index bigint not null,
  primary key (app, subject)
);

-- Every signing key that an accepted record brought in, whatever became of the record.
create table used_keys (
  app text collate "C" not null,
  public_key bytea not null,
  subject text collate "C" not null,
  -- The first entry that brought it in for this subject.
  index bigint not null,
  primary key (app, public_key, subject)
);

-- Nonces of invitations that a claim was accepted with. They are in no entry, and so are a truth of their own.
create table used_nonces (
  app text collate "C" not null,
  -- The characters as UTF-8: there may be a zero among them, which text does not take.
  nonce bytea not null,
  -- The claim.
  index bigint not null,
  primary key (app, nonce)
);

-- The one key of the registrar: an Ed25519 seed.
create table registrar_key (
  singleton boolean primary key check (singleton),
  seed bytea not null
);

-- The role the service works as. Roles belong to all databases of a server: another may have made it already.
do $$
begin
  if not exists (select from pg_roles where rolname = 'peerstack_registrar') then
    create role peerstack_registrar nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if not pg_has_role(current_user, 'peerstack_registrar', 'member') then
    execute format('grant peerstack_registrar to %I', current_user);
  end if;
  execute format('grant usage on schema %I to peerstack_registrar', current_schema());
end
$$;

grant select on schema_migrations to peerstack_registrar;
grant select, insert on entries, used_keys, used_nonces, registrar_key to peerstack_registrar;
grant select, insert, update on apps, users to peerstack_registrar;
