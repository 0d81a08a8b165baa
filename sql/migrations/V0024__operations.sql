-- Idempotency keys: a client may send a request twice and have it executed once. Deletions: what was deleted and when,
-- for programs that keep a copy and ask what changed since they last asked.

create table operations.idempotency_keys (
    tenant_id uuid not null default app.tenant(),
    actor_id uuid not null default coalesce(app.account(), app.api_key(), app.tenant()),
    operation text not null,
    key text not null,
    request_hash bytea not null,
    response jsonb,
    asked_at timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (tenant_id, actor_id, operation, key),
    constraint idempotency_keys_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint idempotency_keys_key_length check (length(key) between 1 and 255),
    constraint idempotency_keys_request_hash_length check (length(request_hash) = 32)
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table operations.idempotency_keys is
    'Answers to requests with an Idempotency-Key, kept for 24 hours. Written in the transaction of the request, so a '
    'refused request leaves no row.';
comment on column operations.idempotency_keys.actor_id is
    'The account or API key that sent the request; for a guest, the organization. Filled from the context.';
comment on column operations.idempotency_keys.operation is 'The operationId.';
comment on column operations.idempotency_keys.key is
    'As the client sent it, 1 to 255 characters. For a guest: SHA-256 of the key and of the request, in hexadecimal '
    'digits.';
comment on column operations.idempotency_keys.request_hash is
    'SHA-256 of the body: another body with the same key is refused.';
comment on column operations.idempotency_keys.response is 'The answer.';
comment on column operations.idempotency_keys.asked_at is 'Time of the first request.';

create index idempotency_keys_time_idx on operations.idempotency_keys (tenant_id, asked_at);

call app.build_wall(
    'operations.idempotency_keys', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff'
);

-- Guests see and write keys of guests.
call app.open_to('operations.idempotency_keys', 'guest', 'select', 'actor_id = tenant_id');
call app.open_to('operations.idempotency_keys', 'guest', 'insert', 'actor_id = tenant_id');
call app.open_to('operations.idempotency_keys', 'guest', 'update', 'actor_id = tenant_id');

-- Customers see and write their own keys.
call app.open_to(
    'operations.idempotency_keys', 'customer', 'select',
    $$
    actor_id = (select app.account())
    $$
);
call app.open_to(
    'operations.idempotency_keys', 'customer', 'insert',
    $$
    actor_id = (select app.account())
    $$
);
call app.open_to(
    'operations.idempotency_keys', 'customer', 'update',
    $$
    actor_id = (select app.account())
    $$
);
call app.admit('operations.idempotency_keys', 'appointd_owner', array['all']);

grant select, insert (operation, key, request_hash), update (request_hash, response, asked_at), delete
on operations.idempotency_keys to appointd_api;


create table operations.deletions (
    tenant_id uuid not null default app.tenant(),
    kind text not null,
    row_id uuid not null,
    deleted_at timestamptz not null default now(),
    constraint deletions_pkey primary key (tenant_id, kind, row_id),
    constraint deletions_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint deletions_kind check (kind ~ '^[a-z_]{1,40}$')
);

comment on table operations.deletions is
    'Deleted rows of the tables that programs copy. A trigger writes it with the deletion. A member who joins again '
    'is removed from it.';
comment on column operations.deletions.kind is
    'Kind of the deleted row, as the trigger of its table names it: contact, service, ….';
comment on column operations.deletions.row_id is 'Id of the deleted row; for a member, the account.';
comment on column operations.deletions.deleted_at is
    'Start of the transaction that deleted it, as updated_at of changed rows.';

create index deletions_time_idx on operations.deletions (tenant_id, deleted_at, row_id);

call app.build_wall('operations.deletions', reads => 'viewer');
call app.admit('operations.deletions', 'appointd_gate', array['select', 'insert', 'update', 'delete']);
call app.admit('operations.deletions', 'appointd_owner', array['all']);

grant select on operations.deletions to appointd_api;
grant select, insert (kind, row_id, deleted_at), update (deleted_at), delete on operations.deletions to appointd_gate;

create function operations.record_deletion() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The trigger says what kind its table holds.
    what constant text := tg_argv[0];
    whole constant jsonb := to_jsonb(case when tg_op = 'INSERT' then new else old end);
    gone constant uuid := coalesce(whole ->> 'id', whole ->> 'account_id');
    owning constant uuid := (whole ->> 'tenant_id')::uuid;
    entered constant uuid := app.tenant();
begin
    -- The owner alone, and while it restores a tenant or deletes one.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if owning is distinct from entered then
        perform app.set_tenant(owning);
    end if;
    if tg_op = 'INSERT' then
        delete from operations.deletions as d
        where d.tenant_id = owning and d.kind = what and d.row_id = gone;
    else
        insert into operations.deletions (kind, row_id)
        values (what, gone)
        on conflict (tenant_id, kind, row_id) do update set deleted_at = excluded.deleted_at;
    end if;
    if owning is distinct from entered then
        perform app.set_tenant(entered);
    end if;
    return null;
end
$$;

comment on function operations.record_deletion() is
    'Trigger: after a deletion, stores the id of the row; after an insert of the same row, deletes it.';

grant create on schema operations to appointd_gate;
alter function operations.record_deletion() owner to appointd_gate;
revoke create on schema operations from appointd_gate;
-- The role that makes a trigger must be allowed to call its function.
set local role appointd_gate;
grant execute on function operations.record_deletion() to appointd_owner;
reset role;

create trigger record_deletion after delete on crm.contacts
for each row execute function operations.record_deletion('contact');
create trigger record_deletion after delete on scheduling.services
for each row execute function operations.record_deletion('service');
create trigger record_deletion after delete on scheduling.providers
for each row execute function operations.record_deletion('provider');
create trigger record_deletion after delete on scheduling.resources
for each row when (old.kind in ('room', 'equipment')) execute function operations.record_deletion('resource');
create trigger record_deletion after insert or delete on tenancy.members
for each row execute function operations.record_deletion('member');
create trigger record_deletion after delete on scheduling.closures
for each row execute function operations.record_deletion('closure');
create trigger record_deletion after delete on scheduling.time_off
for each row execute function operations.record_deletion('time_off');
create trigger record_deletion after delete on scheduling.waitlist_entries
for each row execute function operations.record_deletion('waitlist_entry');
create trigger record_deletion after delete on scheduling.calendar_feeds
for each row execute function operations.record_deletion('calendar_feed');
create trigger record_deletion after delete on tenancy.domains
for each row execute function operations.record_deletion('domain');
create trigger record_deletion after delete on tenancy.invitations
for each row execute function operations.record_deletion('invitation');
