-- Deletions: what was deleted and when, for programs that keep a copy and ask what changed since they last asked.

create table operations.deletions (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    kind text not null,
    row_id uuid not null,
    deleted_at timestamptz not null default now(),
    constraint deletions_pkey primary key (tenant_id, kind, row_id),
    constraint deletions_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint deletions_kind check (kind in ('contact', 'service', 'provider', 'resource', 'member'))
);

comment on table operations.deletions is
    'Rows that are gone, of the tables that programs copy. Written by a trigger with the deletion. Somebody who joins again is no deletion any more.';
comment on column operations.deletions.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column operations.deletions.kind is 'What was deleted: contact, service, provider, resource or member.';
comment on column operations.deletions.row_id is 'Its id; of a member the account.';
comment on column operations.deletions.deleted_at is 'When the deleting transaction began, as updated_at of what changes.';
create index deletions_time_idx on operations.deletions (tenant_id, deleted_at, row_id);

call app.build_wall('operations.deletions', reads => 'viewer');
call app.admit('operations.deletions', 'appointd_owner', array['all']);
call app.admit('operations.deletions', 'appointd_gate', array['select', 'insert', 'update', 'delete']);
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
    owning constant text := whole ->> 'tenant_id';
    entered constant text := coalesce(current_setting('app.tenant_id', true), '');
begin
    -- The owner alone, and while it restores a tenant or deletes one.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if owning is distinct from entered then
        execute format('set local app.tenant_id = %L', owning);
    end if;
    if tg_op = 'INSERT' then
        delete from operations.deletions as d
        where d.tenant_id = owning::uuid and d.kind = what and d.row_id = gone;
    else
        insert into operations.deletions (kind, row_id)
        values (what, gone)
        on conflict (tenant_id, kind, row_id) do update set deleted_at = excluded.deleted_at;
    end if;
    if owning is distinct from entered then
        execute format('set local app.tenant_id = %L', entered);
    end if;
    return null;
end
$$;

comment on function operations.record_deletion() is
    'Trigger: after a deletion, keeps the id of the row; after an insert of the same row, forgets it.';

grant create on schema operations to appointd_gate;
alter function operations.record_deletion() owner to appointd_gate;
revoke create on schema operations from appointd_gate;
-- Whoever makes a trigger has to be allowed to call its function.
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

-- What changed since an instant.
create index contacts_updated_idx on crm.contacts (tenant_id, updated_at);
create index services_updated_idx on scheduling.services (tenant_id, updated_at);
create index providers_updated_idx on scheduling.providers (tenant_id, updated_at);
create index members_updated_idx on tenancy.members (tenant_id, updated_at);
create index waitlist_entries_updated_idx on scheduling.waitlist_entries (tenant_id, updated_at);
