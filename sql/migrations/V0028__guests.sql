-- Guests: customers without an account. They see what can be booked online and when somebody is free; they book; and with
-- the link they then get they see, move and cancel that one appointment. Policies of their own say so.

create function app.enter_guest(tenant uuid, appointment uuid, feature text, host text, request text) returns void
language plpgsql volatile
as $$
begin
    if tenant is null or appointment is null then
        raise exception 'a tenant and an appointment are required' using errcode = 'AP401';
    end if;
    if nullif(current_setting('app.role', true), '') is not null then
        raise exception 'this transaction has entered a tenant already' using errcode = 'object_not_in_prerequisite_state';
    end if;
    execute format('set local app.tenant_id = %L', tenant);
    execute format('set local app.appointment_id = %L', appointment);
    perform set_config('app.request_id', request, true);
    if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
        raise exception 'no such organization' using errcode = 'AP404';
    end if;
    perform app.check_way_in(tenant, feature, host);
    execute format('set local app.role = %L', 'guest');
end
$$;

comment on function app.enter_guest(uuid, uuid, text, text, text) is
    'Enters a tenant for the rest of the transaction as a guest: the public side of it, and one hold, entry of the waitlist or appointment, which is about to be made or whose link the guest has. '
    'Fails with AP404 (no active organization, or `host` leads to another) or AP402 (the plan lacks `feature`).';
grant execute on function app.enter_guest(uuid, uuid, text, text, text) to appointd_api;

-- What is there to be booked, and when: for guests, and for customers with an account (V0033).
call app.open_to('scheduling.services', 'guest,customer', 'select', 'active and bookable_online');
call app.open_to('scheduling.providers', 'guest,customer', 'select', 'active');
call app.open_to('scheduling.service_providers', 'guest,customer', 'select');
call app.open_to('scheduling.service_resources', 'guest,customer', 'select');
call app.open_to('scheduling.resources', 'guest,customer', 'select', $$kind <> 'contact'$$);
call app.open_to('scheduling.schedules', 'guest,customer', 'select');
call app.open_to('scheduling.schedule_rules', 'guest,customer', 'select');
call app.open_to('scheduling.schedule_overrides', 'guest,customer', 'select');
call app.open_to('scheduling.schedule_travels', 'guest,customer', 'select');
call app.open_to('scheduling.closures', 'guest,customer', 'select');
call app.open_to('scheduling.time_off', 'guest,customer', 'select');
-- Times and ids; nothing of who comes.
call app.open_to('scheduling.claims', 'guest,customer', 'select');
call app.open_to(
    'scheduling.holds', 'guest', 'select',
    $$
    case
    when expires_at <= statement_timestamp() then true
    when id = (select nullif(current_setting('app.appointment_id', true), '')::uuid) then created_by is null
    else exists (select from scheduling.waitlist_entries as w where w.tenant_id = holds.tenant_id
    and w.id = holds.waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'guest', 'delete',
    $$
    case
    when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
    when id = (select nullif(current_setting('app.appointment_id', true), '')::uuid) then created_by is null
    else exists (select from scheduling.waitlist_entries as w where w.tenant_id = holds.tenant_id
    and w.id = holds.waitlist_entry_id)
    end
    $$
);
-- Locking what is deleted.
call app.open_to(
    'scheduling.holds', 'guest', 'update',
    $$
    case
    when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
    when id = (select nullif(current_setting('app.appointment_id', true), '')::uuid) then created_by is null
    else exists (select from scheduling.waitlist_entries as w where w.tenant_id = holds.tenant_id
    and w.id = holds.waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'guest,customer', 'insert',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid) and waitlist_entry_id is null
    $$
);

-- Asking twice: what guests asked, and no more.
call app.open_to('operations.idempotency_keys', 'guest', 'select', 'actor_id = tenant_id');
call app.open_to('operations.idempotency_keys', 'guest', 'insert', 'actor_id = tenant_id');
call app.open_to('operations.idempotency_keys', 'guest', 'update', 'actor_id = tenant_id');

-- The one thing: a hold or an entry of the waitlist, and the appointment that comes of it, which has the same id. Holds are
-- their own where the account that made them (a guest has none) is theirs, or the entry they were made for.
call app.open_to('crm.contacts', 'guest', 'insert', 'account_id is null');
call app.open_to('scheduling.resources', 'guest', 'insert', $$kind = 'contact'$$);
call app.open_to(
    'scheduling.claims', 'guest,customer', 'insert',
    $$
    (select nullif(current_setting('app.appointment_id', true), '')::uuid) = any (array[appointment_id, hold_id])
    $$
);
call app.open_to(
    'scheduling.claims', 'guest,customer', 'delete',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from scheduling.appointments as a where a.tenant_id = claims.tenant_id
    and a.id = claims.appointment_id)
    $$
);
-- Confirming a hold, or accepting an offer, makes its claims the appointment's.
call app.open_to(
    'scheduling.claims', 'guest,customer', 'update',
    $$
    case
    when hold_id is null then appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    else exists (select from scheduling.holds as h where h.tenant_id = claims.tenant_id
    and h.id = claims.hold_id
    and (select nullif(current_setting('app.appointment_id', true), '')::uuid) = any (array[h.id, h.waitlist_entry_id]))
    end
    $$
);
call app.open_to('scheduling.shared_claims', 'guest,customer', 'insert');
call app.open_to(
    'scheduling.appointments', 'guest', 'insert',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointments', 'guest', 'select',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointments', 'guest', 'update',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'guest', 'insert',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'guest', 'select',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'guest', 'delete',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointment_transitions', 'guest', 'insert',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'guest', 'select',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'guest', 'insert',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'guest', 'update',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
