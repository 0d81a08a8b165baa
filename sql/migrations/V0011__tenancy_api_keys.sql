-- API keys: how programs enter without a person. Each belongs to one organization and has a role and scopes.

create table tenancy.api_keys (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    name text not null,
    secret_hash bytea not null,
    role text not null,
    scopes text[] not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    updated_at timestamptz not null default now(),
    constraint api_keys_pkey primary key (tenant_id, id),
    constraint api_keys_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint api_keys_name_length check (length(name) between 1 and 100),
    constraint api_keys_secret_hash_length check (length(secret_hash) = 32),
    constraint api_keys_role check (role in ('admin', 'manager', 'staff', 'viewer')),
    constraint api_keys_scopes check (
        cardinality(scopes) >= 1 and cardinality(scopes) <= 20 and array_position(scopes, null) is null
    )
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table tenancy.api_keys is
    'Keys of programs. A key has the lower of its own role and the present role of its maker, within its scopes, '
    'while it is neither revoked nor expired and its maker is an active member.';
comment on column tenancy.api_keys.id is
    'UUIDv7. Part of the key, which also names the organization; neither is secret.';
comment on column tenancy.api_keys.name is 'Purpose of the key, 1 to 100 characters.';
comment on column tenancy.api_keys.secret_hash is
    'SHA-256 of the secret part. That is 256 random bits, so a fast hash is enough.';
comment on column tenancy.api_keys.role is 'Role of the key, at most admin. Lowered with the role of its maker.';
comment on column tenancy.api_keys.scopes is
    '<module>:read or <module>:write; write includes read. The API description names the scope of each operation.';
comment on column tenancy.api_keys.expires_at is 'Until when it is valid; null: until it is revoked.';
comment on column tenancy.api_keys.last_used_at is 'When it was last used, to the minute.';
comment on column tenancy.api_keys.revoked_at is 'When it was revoked.';
comment on column tenancy.api_keys.created_at is 'When it was made.';
comment on column tenancy.api_keys.created_by is 'The account that made it: its maker.';

comment on column tenancy.api_keys.updated_at is
    'When it was made or revoked, or its role was lowered. Use is no change.';

create index api_keys_updated_idx on tenancy.api_keys (tenant_id, updated_at);
create index api_keys_created_by_idx on tenancy.api_keys (tenant_id, created_by);

call app.build_wall('tenancy.api_keys', reads => 'admin', inserts => 'owner', updates => 'owner');
create policy verified_insert on tenancy.api_keys as restrictive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant()) and (select app.may_hand_out())
    );

-- The gate enters by a key, asks what it is worth (tenancy.standing), and ends or lowers it with its maker.
call app.admit('tenancy.api_keys', 'appointd_gate', array['select', 'update']);
call app.admit('tenancy.api_keys', 'appointd_owner', array['all']);
call operations.audit('tenancy.api_keys');

grant
    select (
        tenant_id, id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by, updated_at
    ),
    insert (id, name, secret_hash, role, scopes, expires_at),
    update (revoked_at)
on tenancy.api_keys to appointd_api;
grant
    select (tenant_id, id, secret_hash, role, scopes, expires_at, last_used_at, revoked_at, created_by),
    update (role, last_used_at, revoked_at)
on tenancy.api_keys to appointd_gate;

create trigger touch before update of role, revoked_at on tenancy.api_keys
for each row when (new.role <> old.role or new.revoked_at is distinct from old.revoked_at)
execute function app.touch();
create trigger keep_within_plan_insert after insert on tenancy.api_keys
for each row execute function tenancy.keep_within_plan('api_keys');
