-- Customers with an account see what can be booked online, as guests do (V0028), and their own: appointments, holds and entries of
-- the waitlist. "Own" is decided by rows, never by an id a client sends: the contact that is linked to their account, or
-- the account that made a hold. app.appointment_id names the one thing they are about to make or change, and only narrows.

create function app.enter_customer(
    tenant uuid, account uuid, session uuid, subject uuid, feature text, host text, request text
) returns void
language plpgsql volatile
as $$
begin
    if subject is null then
        raise exception 'what is to be made or changed is required' using errcode = 'AP401';
    end if;
    perform app.enter(tenant, account, session, 'customer', feature, host, request);
    execute format('set local app.appointment_id = %L', subject);
end
$$;

comment on function app.enter_customer(uuid, uuid, uuid, uuid, text, text, text) is
    'Enters a tenant for the rest of the transaction as a customer with an account, who makes or changes one thing: an appointment, a hold or an entry of the waitlist with the id `subject`. Fails as app.enter does.';
grant execute on function app.enter_customer(uuid, uuid, uuid, uuid, text, text, text) to appointd_api;

-- Their appointments. customer_select (V0016) shows those of their contact.
call app.open_to(
    'scheduling.appointments', 'customer', 'insert',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from crm.contacts as c where c.tenant_id = appointments.tenant_id
    and c.id = appointments.contact_id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);
call app.open_to(
    'scheduling.appointments', 'customer', 'update',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from crm.contacts as c where c.tenant_id = appointments.tenant_id
    and c.id = appointments.contact_id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'customer', 'select',
    $$
    exists (select from scheduling.appointments as a where a.tenant_id = appointment_segments.tenant_id
    and a.id = appointment_segments.appointment_id)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'customer', 'insert',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'customer', 'delete',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from scheduling.appointments as a where a.tenant_id = appointment_segments.tenant_id
    and a.id = appointment_segments.appointment_id)
    $$
);
call app.open_to(
    'scheduling.appointment_transitions', 'customer', 'insert',
    $$
    appointment_id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from scheduling.appointments as a where a.tenant_id = appointment_transitions.tenant_id
    and a.id = appointment_transitions.appointment_id)
    $$
);

-- Their time. Claims are made before their appointment or hold is, in one statement, so that the id alone says whose they are
-- (V0028); an appointment of somebody else with that id fails the statement by its key.
call app.open_to(
    'scheduling.resources', 'customer', 'insert',
    $$
    kind = 'contact'
    and exists (select from crm.contacts as c where c.tenant_id = resources.tenant_id
    and c.id = resources.id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);

-- Whether their own time is taken: the claims of other contacts are times of an id that leads nowhere.
call app.open_to(
    'scheduling.resources', 'customer', 'select',
    $$
    kind = 'contact'
    and exists (select from crm.contacts as c where c.tenant_id = resources.tenant_id
    and c.id = resources.id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);

-- What they hold, and what is held for what they wait for.
call app.open_to(
    'scheduling.holds', 'customer', 'select',
    $$
    case
    when expires_at <= statement_timestamp() then true
    when created_by = (select nullif(current_setting('app.account_id', true), '')::uuid) then waitlist_entry_id is null
    else exists (select from scheduling.waitlist_entries as w where w.tenant_id = holds.tenant_id
    and w.id = holds.waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'customer', 'delete',
    $$
    case
    when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
    when id = (select nullif(current_setting('app.appointment_id', true), '')::uuid) then created_by = (select nullif(current_setting('app.account_id', true), '')::uuid)
    else exists (select from scheduling.waitlist_entries as w where w.tenant_id = holds.tenant_id
    and w.id = holds.waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'customer', 'update',
    $$
    case
    when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
    when id = (select nullif(current_setting('app.appointment_id', true), '')::uuid) then created_by = (select nullif(current_setting('app.account_id', true), '')::uuid)
    else exists (select from scheduling.waitlist_entries as w where w.tenant_id = holds.tenant_id
    and w.id = holds.waitlist_entry_id)
    end
    $$
);

-- What they wait for.
call app.open_to(
    'scheduling.waitlist_entries', 'customer', 'select',
    $$
    exists (select from crm.contacts as c where c.tenant_id = waitlist_entries.tenant_id
    and c.id = waitlist_entries.contact_id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'customer', 'insert',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from crm.contacts as c where c.tenant_id = waitlist_entries.tenant_id
    and c.id = waitlist_entries.contact_id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'customer', 'update',
    $$
    id = (select nullif(current_setting('app.appointment_id', true), '')::uuid)
    and exists (select from crm.contacts as c where c.tenant_id = waitlist_entries.tenant_id
    and c.id = waitlist_entries.contact_id
    and c.account_id = (select nullif(current_setting('app.account_id', true), '')::uuid))
    $$
);

-- Asking twice and being served once.
call app.open_to(
    'operations.idempotency_keys', 'customer', 'select',
    $$
    actor_id = (select nullif(current_setting('app.account_id', true), '')::uuid)
    $$
);
call app.open_to(
    'operations.idempotency_keys', 'customer', 'insert',
    $$
    actor_id = (select nullif(current_setting('app.account_id', true), '')::uuid)
    $$
);
call app.open_to(
    'operations.idempotency_keys', 'customer', 'update',
    $$
    actor_id = (select nullif(current_setting('app.account_id', true), '')::uuid)
    $$
);
