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
    'Enters a tenant for the rest of the transaction as a guest: the public side of it, and one appointment, which is about to be booked or whose link the guest has. '
    'Fails with AP404 (no active organization, or `host` leads to another) or AP402 (the plan lacks `feature`).';
grant execute on function app.enter_guest(uuid, uuid, text, text, text) to appointd_api;

-- What is there to be booked, and when.
call app.open_to('scheduling.services', 'guest', 'select', 'active and bookable_online');
call app.open_to('scheduling.providers', 'guest', 'select', 'active');
call app.open_to('scheduling.service_providers', 'guest', 'select');
call app.open_to('scheduling.service_resources', 'guest', 'select');
call app.open_to('scheduling.resources', 'guest', 'select', $$kind <> 'contact'$$);
call app.open_to('scheduling.schedules', 'guest', 'select');
call app.open_to('scheduling.schedule_rules', 'guest', 'select');
call app.open_to('scheduling.schedule_overrides', 'guest', 'select');
call app.open_to('scheduling.schedule_travels', 'guest', 'select');
call app.open_to('scheduling.closures', 'guest', 'select');
call app.open_to('scheduling.time_off', 'guest', 'select');
-- Times and ids; nothing of who comes.
call app.open_to('scheduling.claims', 'guest', 'select');
call app.open_to('scheduling.holds', 'guest', 'select', 'expires_at <= statement_timestamp()');
call app.open_to('scheduling.holds', 'guest', 'delete', 'expires_at <= statement_timestamp() and waitlist_entry_id is null');
-- Locking what is deleted.
call app.open_to('scheduling.holds', 'guest', 'update', 'expires_at <= statement_timestamp() and waitlist_entry_id is null');

-- Asking twice: what guests asked, and no more.
call app.open_to('operations.idempotency_keys', 'guest', 'select', 'actor_id = tenant_id');
call app.open_to('operations.idempotency_keys', 'guest', 'insert', 'actor_id = tenant_id');
call app.open_to('operations.idempotency_keys', 'guest', 'update', 'actor_id = tenant_id');

-- The one appointment.
call app.open_to('crm.contacts', 'guest', 'insert', 'account_id is null');
call app.open_to('scheduling.resources', 'guest', 'insert', $$kind = 'contact'$$);
call app.open_to('scheduling.claims', 'guest', 'insert', $$appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.claims', 'guest', 'delete', $$appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.shared_claims', 'guest', 'insert');
call app.open_to('scheduling.appointments', 'guest', 'insert', $$id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.appointments', 'guest', 'select', $$id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.appointments', 'guest', 'update', $$id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.appointment_segments', 'guest', 'insert', $$appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.appointment_segments', 'guest', 'select', $$appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.appointment_segments', 'guest', 'delete', $$appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
call app.open_to('scheduling.appointment_transitions', 'guest', 'insert', $$appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)$$);
