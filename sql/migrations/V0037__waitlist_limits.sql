-- Waiting has limits, as holding has (V0036): every offer to an entry holds time for an hour.

alter table scheduling.waitlist_entries no force row level security;
alter table scheduling.waitlist_entries
    add column guest_key uuid,
    -- A contact waits once for a time. (An entry for any provider and one for a named provider may overlap.)
    add constraint waitlist_entries_no_overlap exclude using gist (
        tenant_id with =, contact_id with =, service_id with =,
        coalesce(provider_id, '00000000-0000-0000-0000-000000000000'::uuid) with =,
        tstzrange(from_instant, to_instant, '[)') with &&
    ) where (status in ('waiting', 'offered'));
alter table scheduling.waitlist_entries force row level security;

comment on column scheduling.waitlist_entries.guest_key is
    'Of an entry of a guest: what appointments of their e-mail address are marked with (scheduling.appointments.guest_key).';
comment on constraint waitlist_entries_no_overlap on scheduling.waitlist_entries is
    'A contact waits once for one service, one provider and one time.';
grant insert (guest_key) on scheduling.waitlist_entries to appointd_api;

-- Sees what the caller sees: of a contact who waits again, the other entries.
create function scheduling.keep_waiting_few() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One after the other. The last lock of its transaction.
    perform pg_advisory_xact_lock(hashtextextended(new.tenant_id::text || new.contact_id::text || 'waitlist', 0));
    if (
        select count(*) > 10
        from scheduling.waitlist_entries as w
        where w.tenant_id = new.tenant_id and w.contact_id = new.contact_id and w.status in ('waiting', 'offered')
    ) then
        raise exception 'too many entries' using errcode = 'check_violation', constraint = 'waitlist_entries_too_many';
    end if;
    return null;
end
$$;

comment on function scheduling.keep_waiting_few() is
    'Trigger, after an entry of the waitlist came in: refuses more than 10 of one contact that wait or are offered time.';
create trigger keep_few after insert on scheduling.waitlist_entries
for each row execute function scheduling.keep_waiting_few();

grant select (tenant_id, appointment_id, service_id) on scheduling.appointment_segments to appointd_gate;
grant select (cancellation_notice_minutes) on scheduling.services to appointd_gate;

-- What is counted is null where it was counted before. Old rows are removed without waiting for others who remove them.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create or replace function scheduling.count_guest_request(address_hash bytea, email_hash bytea) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    allowed record;
    counted record;
    asked record;
    seconds integer := 0;
begin
    if current_setting('app.role', true) is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select s.guest_bookings_per_address, s.guest_bookings_per_email
    into allowed
    from tenancy.settings as s
    where s.tenant_id = tenant;
    delete from scheduling.guest_requests as r
    where
        r.tenant_id = tenant
        and (r.kind, r.subject) in (
            select o.kind, o.subject
            from scheduling.guest_requests as o
            where o.tenant_id = tenant and o.since < now() - interval '1 day'
            for update skip locked
        );
    for asked in
        select 'address' as kind, address_hash as subject, interval '1 hour' as period, allowed.guest_bookings_per_address as most
        where address_hash is not null
        union all
        select 'email', email_hash, interval '1 day', allowed.guest_bookings_per_email
        where email_hash is not null
        order by 1
    loop
        insert into scheduling.guest_requests as r (kind, subject)
        values (asked.kind, asked.subject)
        on conflict (tenant_id, kind, subject) do update
        set
            requests = case when r.since <= now() - asked.period then 1 else r.requests + 1 end,
            since = case when r.since <= now() - asked.period then now() else r.since end
        returning r.requests, r.since into counted;
        if counted.requests > asked.most then
            seconds := greatest(seconds, ceil(extract(epoch from counted.since + asked.period - now()))::integer, 1);
        end if;
    end loop;
    return seconds;
end
$$;

-- What customers are told of their own appointment, also where its service or provider is not offered online any more.
create function scheduling.booked_names(appointment uuid)
returns table (
    service_name text, provider_name text, renames integer, renamed_at timestamptz, cancellation_notice_minutes integer
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
begin
    return query
    select
        s.name, p.name, s.renames, greatest(s.renamed_at, p.renamed_at),
        -- Of a visit, the longest counts.
        greatest(
            s.cancellation_notice_minutes,
            (
                select max(o.cancellation_notice_minutes)
                from scheduling.appointment_segments as g
                join scheduling.services as o on o.tenant_id = g.tenant_id and o.id = g.service_id
                where g.tenant_id = tenant and g.appointment_id = a.id
            )
        )
    from scheduling.appointments as a
    join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
    join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
    where
        a.tenant_id = tenant and a.id = appointment
        and case current_setting('app.role', true)
            when 'guest' then a.id = nullif(current_setting('app.appointment_id', true), '')::uuid
            when 'customer' then exists (
                select
                from crm.contacts as c
                where
                    c.tenant_id = a.tenant_id and c.id = a.contact_id
                    and c.account_id = nullif(current_setting('app.account_id', true), '')::uuid
            )
            else current_setting('app.role', true) in ('viewer', 'staff', 'manager', 'admin', 'owner')
        end;
end
$$;

comment on function scheduling.booked_names(uuid) is
    'What an appointment is called and until when it can be changed: for guests and customers of their own, for members of any.';
grant execute on function scheduling.booked_names(uuid) to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;
