-- What contacts want to be told: reminders and thanks can be switched off, by staff, by the customer, or by the link at
-- the end of such an e-mail. E-mails about bookings and changes cannot be switched off.

create table crm.message_preferences (
    tenant_id uuid not null default app.tenant(),
    contact_id uuid not null,
    reminders boolean not null default true,
    thanks boolean not null default true,
    updated_at timestamptz not null default now(),
    constraint message_preferences_pkey primary key (tenant_id, contact_id),
    constraint message_preferences_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint message_preferences_contact_fkey foreign key (tenant_id, contact_id)
        references crm.contacts (tenant_id, id) on delete cascade
);

comment on table crm.message_preferences is
    'What contacts want to be told, a row for each who was ever asked about. Without a row: everything.';
comment on column crm.message_preferences.contact_id is 'The contact.';
comment on column crm.message_preferences.reminders is 'Whether they get reminders of their appointments.';
comment on column crm.message_preferences.thanks is 'Whether they are thanked after an appointment.';
comment on column crm.message_preferences.updated_at is 'When the row last changed.';

call app.build_wall('crm.message_preferences', reads => 'viewer', inserts => 'staff', updates => 'staff');
-- Customers read and change what is about the contact that is linked to their account.
call app.open_to(
    'crm.message_preferences', 'customer', 'select', $$contact_id = any ((select crm.own_contacts())::uuid[])$$
);
call app.open_to(
    'crm.message_preferences', 'customer', 'insert', $$contact_id = any ((select crm.own_contacts())::uuid[])$$
);
call app.open_to(
    'crm.message_preferences', 'customer', 'update', $$contact_id = any ((select crm.own_contacts())::uuid[])$$
);
call app.admit('crm.message_preferences', 'appointd_gate', array['select', 'insert', 'update']);
call app.admit('crm.message_preferences', 'appointd_owner', array['all']);
call operations.audit('crm.message_preferences');
call app.date_changes('crm.message_preferences');

grant
    select,
    insert (contact_id, reminders, thanks),
    update (contact_id, reminders, thanks, updated_at)
on crm.message_preferences to appointd_api;
grant select, insert (contact_id, reminders, thanks), update (reminders, thanks, updated_at)
on crm.message_preferences to appointd_gate;

-- The link at the end of an e-mail: it needs no session, so its proof is asked for (V0045).

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema crm to appointd_gate;
set local role appointd_gate;

create function crm.unsubscribe_proof(organization uuid, contact uuid, kind text) returns bytea
language plpgsql stable
as $$
begin
    return app.proof('unsubscribe ' || kind, organization, contact);
end
$$;

comment on function crm.unsubscribe_proof(uuid, uuid, text) is
    'What a link proves that switches off one kind of messages to a contact. For functions of the gate.';

create function crm.unsubscribe(organization uuid, contact uuid, kind text, proof bytea, only_look boolean) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found_slug text;
begin
    perform app.stay_outside();
    if (kind in ('reminders', 'thanks') and proof = crm.unsubscribe_proof(organization, contact, kind)) is not true then
        return null;
    end if;
    if not tenancy.host_admits(organization) then
        return null;
    end if;
    perform app.set_tenant(organization);
    select o.slug
    into found_slug
    from tenancy.organizations as o
    join crm.contacts as c on c.tenant_id = o.id
    where o.id = organization and o.status = 'active' and c.id = contact;
    if found_slug is not null and not only_look then
        insert into crm.message_preferences as p (contact_id, reminders, thanks)
        values (contact, kind <> 'reminders', kind <> 'thanks')
        on conflict on constraint message_preferences_pkey do update
        set
            reminders = p.reminders and excluded.reminders, thanks = p.thanks and excluded.thanks,
            updated_at = now()
        -- Again: nothing changes.
        where p.reminders and not excluded.reminders or p.thanks and not excluded.thanks;
    end if;
    return found_slug;
end
$$;

comment on function crm.unsubscribe(uuid, uuid, text, bytea, boolean) is
    'Switches off one kind of messages to a contact, for who has the link of such a message, or only looks whether the '
    'link is valid. Returns the slug of the organization; null: the link is not valid, or the host of the request is '
    'that of another organization.';

grant execute on function crm.unsubscribe(uuid, uuid, text, bytea, boolean) to appointd_door;
reset role;
revoke create on schema crm from appointd_gate;
