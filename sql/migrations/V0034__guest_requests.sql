-- What an organization wants of guests. How many bookings they may ask for, from one network address and with one e-mail
-- address, apart from every other limit: counted in the database, so that all servers count together. And bookings that
-- wait for a guest to open the link that was mailed to them.

alter table tenancy.settings
    add column guest_bookings_per_address integer not null default 20,
    add column guest_bookings_per_email integer not null default 5,
    add column guests_match_by_verified_email boolean not null default false,
    add constraint settings_guest_bookings_per_address check (guest_bookings_per_address between 1 and 10000),
    add constraint settings_guest_bookings_per_email check (guest_bookings_per_email between 1 and 10000);

comment on column tenancy.settings.guest_bookings_per_address is 'How many bookings guests may ask for from one network address within an hour, 1 to 10,000.';
comment on column tenancy.settings.guests_match_by_verified_email is 'Whether what a guest books is for the contact that has their e-mail address, once they have shown that it is theirs, if exactly one has. Nothing of the contact changes.';
comment on column tenancy.settings.guest_bookings_per_email is 'How many bookings guests may ask for with one e-mail address within a day, 1 to 10,000.';
grant update (guest_bookings_per_address, guest_bookings_per_email, guests_match_by_verified_email) on tenancy.settings to appointd_api;


create table scheduling.guest_requests (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    kind text not null,
    subject bytea not null,
    since timestamptz not null default now(),
    requests integer not null default 1,
    constraint guest_requests_pkey primary key (tenant_id, kind, subject),
    constraint guest_requests_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint guest_requests_kind check (kind in ('address', 'email')),
    constraint guest_requests_subject_length check (length(subject) = 32)
);

comment on table scheduling.guest_requests is 'How often guests asked for a booking, by network address and by e-mail address. Rows of more than a day ago are removed.';
comment on column scheduling.guest_requests.tenant_id is 'The organization. Filled from the context.';
comment on column scheduling.guest_requests.kind is 'address (counted for an hour) or email (counted for a day).';
comment on column scheduling.guest_requests.subject is 'SHA-256 of the organization and the address.';
comment on column scheduling.guest_requests.since is 'When counting began.';
comment on column scheduling.guest_requests.requests is 'How many since then.';
create index guest_requests_since_idx on scheduling.guest_requests (tenant_id, since);

call app.build_wall('scheduling.guest_requests', reads => 'owner');
call app.admit('scheduling.guest_requests', 'appointd_owner', array['all']);
call app.admit('scheduling.guest_requests', 'appointd_gate', array['select', 'insert', 'update', 'delete']);
grant select on scheduling.guest_requests to appointd_api;
grant select, insert (kind, subject), update (since, requests), delete on scheduling.guest_requests to appointd_gate;

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.count_guest_request(address_hash bytea, email_hash bytea) returns integer
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
    where r.tenant_id = tenant and r.since < now() - interval '1 day';
    for asked in
        select 'address' as kind, address_hash as subject, interval '1 hour' as period, allowed.guest_bookings_per_address as most
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

comment on function scheduling.count_guest_request(bytea, bytea) is
    'Counts a booking that a guest of the organization in the context asks for. 0: it is within the limits; otherwise in how many seconds to ask again.';
grant execute on function scheduling.count_guest_request(bytea, bytea) to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;


create table scheduling.guest_bookings (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    hold_id uuid not null,
    first_name text not null,
    last_name text not null,
    email text not null,
    phone text,
    note text,
    created_at timestamptz not null default now(),
    constraint guest_bookings_pkey primary key (tenant_id, hold_id),
    constraint guest_bookings_hold_fkey foreign key (tenant_id, hold_id) references scheduling.holds (tenant_id, id) on delete cascade,
    constraint guest_bookings_first_name_length check (length(first_name) between 1 and 100),
    constraint guest_bookings_last_name_length check (length(last_name) between 1 and 100),
    constraint guest_bookings_email_lower_case check (email = lower(email) and length(email) between 3 and 254),
    constraint guest_bookings_phone_length check (length(phone) between 1 and 50),
    constraint guest_bookings_note_length check (length(note) between 1 and 500)
);

comment on table scheduling.guest_bookings is 'What guests have said who have yet to open the link that was mailed to them. Goes with the hold: it expires, or becomes an appointment.';
comment on column scheduling.guest_bookings.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.guest_bookings.hold_id is 'The hold that keeps the time, and the id of the appointment to come.';
comment on column scheduling.guest_bookings.first_name is 'Given name, 1 to 100 characters.';
comment on column scheduling.guest_bookings.last_name is 'Family name, 1 to 100 characters.';
comment on column scheduling.guest_bookings.email is 'The address the link was sent to, lower case.';
comment on column scheduling.guest_bookings.phone is 'Telephone number as the person writes it; null: not said.';
comment on column scheduling.guest_bookings.note is 'What the organization should know; null: nothing.';
comment on column scheduling.guest_bookings.created_at is 'When it was booked.';

call app.build_wall('scheduling.guest_bookings', reads => 'staff');
call app.open_to(
    'scheduling.guest_bookings', 'guest', 'select',
    $$
    hold_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.guest_bookings', 'guest', 'insert',
    $$
    hold_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.admit('scheduling.guest_bookings', 'appointd_owner', array['all']);
call app.admit('scheduling.guest_bookings', 'appointd_gate', array['select']);
call operations.audit('scheduling.guest_bookings');
grant select on scheduling.guest_bookings to appointd_api;
grant insert (hold_id, first_name, last_name, email, phone, note) on scheduling.guest_bookings to appointd_api;
grant select (tenant_id, hold_id, email) on scheduling.guest_bookings to appointd_gate;
grant select (created_at) on crm.contacts to appointd_gate;

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.contact_of_guest() returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    found_ids uuid[];
begin
    if current_setting('app.role', true) is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select array_agg(c.id)
    into found_ids
    from scheduling.guest_bookings as g
    join tenancy.settings as s on s.tenant_id = g.tenant_id and s.guests_match_by_verified_email
    join crm.contacts as c on c.tenant_id = g.tenant_id and c.email = g.email
    where g.tenant_id = tenant and g.hold_id = nullif(current_setting('app.appointment_id', true), '')::uuid;
    -- Families share an address: one of them is not taken for another.
    return case when cardinality(found_ids) = 1 then found_ids[1] end;
end
$$;

comment on function scheduling.contact_of_guest() is
    'The contact with the e-mail address that the guest in the context gives with the booking of their link, where the organization wants guests to be matched and exactly one contact has it. For a guest who has opened the link that was sent there.';
grant execute on function scheduling.contact_of_guest() to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;

create index contacts_email_idx on crm.contacts (tenant_id, email) where email is not null;
