-- What keeps the tables that change most small.
--
-- A claim keeps a resource from being booked twice. Once its time is over nobody can be booked into it, but its row stays in
-- the index of claims_no_overlap, which cannot be rebuilt while bookings go on. So claims of appointments that ended more
-- than 35 days ago are deleted. What is looked at behind that is the appointment, which has times of its own:
--
--   * limits of a day and a week count claims, and look at most 8 days back from the start that is asked for;
--   * a shared claim (scheduling.shared_claims) goes with its claim, and is asked about days to come;
--   * moving an appointment deletes its claims and makes others; cancelling deletes what is there; undoing a step of its
--     life may take its time again within these days;
--   * sql/audit/bookings.sql looks for the claims of appointments that ended within these days.
--
-- Staff who override the rules and write an appointment into the past behind these days write a record: it is kept apart
-- from nothing.

call app.admit('scheduling.claims', 'appointd_gate', array['select', 'delete']);
grant select (tenant_id, id, hold_id, starts_at, ends_at), delete on scheduling.claims to appointd_gate;

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.forget_past_claims(after uuid) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- So that no call holds many rows for long.
    most constant integer := 5000;
    organization uuid;
    forgotten integer;
begin
    perform app.stay_outside();
    select o.id into organization
    from tenancy.organizations as o
    where after is null or o.id > after
    order by o.id
    limit 1;
    if organization is null then
        return null;
    end if;
    execute format('set local app.tenant_id = %L', organization);
    with past as (
        select c.id
        from scheduling.claims as c
        where
            c.tenant_id = organization
            and c.hold_id is null
            -- A claim lasts 24 hours at most: an index knows when one begins.
            and c.starts_at < now() - interval '35 days'
            and c.ends_at < now() - interval '35 days'
        limit most
    )
    delete from scheduling.claims as c
    using past as p
    where c.tenant_id = organization and c.id = p.id;
    get diagnostics forgotten = row_count;
    execute format('set local app.tenant_id = %L', '');
    -- The same organization again, where there may be more.
    return case when forgotten < most then organization else coalesce(after, '00000000-0000-0000-0000-000000000000') end;
end
$$;

comment on function scheduling.forget_past_claims(uuid) is
    'Deletes claims of appointments that ended more than 35 days ago, of the organization that follows the one given; at most 5,000 a call. What to give next; null: there is none behind. Servers call it every hour.';
grant execute on function scheduling.forget_past_claims(uuid) to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;

-- Vacuumed after a fiftieth has changed, not a fifth: dead claims stay in the constraint's index until then, and every
-- booking looks at them. Sessions, keys and counters are rewritten all day.
do $$
declare
    relation regclass;
begin
    foreach relation in array array[
        'scheduling.claims', 'scheduling.shared_claims', 'scheduling.holds', 'scheduling.waitlist_entries',
        'scheduling.appointments', 'identity.sessions', 'tenancy.usage_days', 'tenancy.api_keys', 'operations.idempotency_keys'
    ]::regclass[] loop
        execute format(
            'alter table %s set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)', relation
        );
    end loop;
end
$$;
