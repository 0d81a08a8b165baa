-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- The people an organization deals with: contacts.
create schema crm authorization appointd_owner;

grant usage on schema crm to appointd_api;
grant usage on schema crm to appointd_auditor;
grant usage on schema crm to appointd_door;
grant usage on schema crm to appointd_gate;
grant usage on schema crm to appointd_worker;


-- A person the organization deals with. Two contacts may have the same e-mail address: families share one.
create table crm.contacts (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, so that the order of ids is the order of creation.
    id uuid not null,
    -- Given name, 1 to 100 characters.
    first_name text not null,
    -- Family name, 1 to 100 characters.
    last_name text not null,
    -- E-mail address, lower case; null: not known.
    email text,
    -- Telephone number as the person writes it, at most 50 characters; null: not known.
    phone text,
    -- When the contact was created.
    created_at timestamptz not null default now(),
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    -- How often the name changed. Part of the SEQUENCE of calendar entries (RFC 5545 section 3.8.7.4), whose summary
    -- shows the name.
    renames integer not null default 0,
    -- When the name last changed; null: never.
    renamed_at timestamptz,
    -- Account of the person, linked by accepting an invitation; with it they see their own data.
    account_id uuid,
    -- Id in another system, at most 200 characters; null: none.
    external_id text,
    -- What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.
    metadata jsonb,
    -- First and last name in lower case, to search by.
    name_key text generated always as (lower(((first_name || ' ') || last_name) collate "und-x-icu")) stored,
    -- Last name in lower case, to search by.
    last_name_key text generated always as (lower(last_name collate "und-x-icu")) stored,
    -- Digits of the telephone number, to search by; null: none.
    phone_digits text generated always as (nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')) stored,
    constraint contacts_pkey primary key (tenant_id, id),
    constraint contacts_account_fkey foreign key (account_id) references identity.accounts(id),
    constraint contacts_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint contacts_email_lower_case check (email = lower(email) and length(email) >= 3 and length(email) <= 254),
    constraint contacts_external_id_length check (length(external_id) >= 1 and length(external_id) <= 200),
    constraint contacts_first_name_length check (length(first_name) >= 1 and length(first_name) <= 100),
    constraint contacts_last_name_length check (length(last_name) >= 1 and length(last_name) <= 100),
    constraint contacts_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()'::jsonpath)) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue()?(!(@."key" like_regex "^[A-Za-z0-9_.-]{1,40}$"))'::jsonpath)
        and not jsonb_path_exists(
            metadata, 'strict $.*?(@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'::jsonpath
        )
    ),
    constraint contacts_phone_length check (length(phone) >= 1 and length(phone) <= 50)
);

create index contacts_account_fkey_idx on crm.contacts using btree (account_id) where account_id is not null;
create index contacts_account_idx on crm.contacts using btree (tenant_id, account_id) where account_id is not null;
create index contacts_email_idx on crm.contacts using btree (tenant_id, email collate "C");
create unique index contacts_external_id_key on crm.contacts using btree (tenant_id, external_id)
where external_id is not null;
create index contacts_last_name_idx on crm.contacts using btree (tenant_id, last_name_key);
create index contacts_name_idx on crm.contacts using btree (tenant_id, name_key);
create index contacts_phone_idx on crm.contacts using btree (tenant_id, phone_digits);
create index contacts_updated_idx on crm.contacts using btree (tenant_id, updated_at);

alter table crm.contacts enable row level security, force row level security;

create policy tenant_floor on crm.contacts as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_select on crm.contacts as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and account_id = (select app.account())
        and (select app.role() = any ('{customer}'))
    );
create policy gate_select on crm.contacts as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on crm.contacts as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_insert on crm.contacts as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and account_id is null);
create policy manager_delete on crm.contacts as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on crm.contacts as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_insert on crm.contacts as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on crm.contacts as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on crm.contacts as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on crm.contacts as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select, delete on crm.contacts to appointd_api;
grant insert (id, first_name, last_name, email, phone, external_id, metadata) on crm.contacts to appointd_api;
grant update (
    first_name, last_name, email, phone, updated_at, renames, renamed_at, account_id, external_id, metadata
) on crm.contacts to appointd_api;
grant select (
    tenant_id, id, first_name, last_name, email, created_at, renames, renamed_at, account_id
) on crm.contacts to appointd_gate;
grant update (updated_at, account_id) on crm.contacts to appointd_gate;
grant select (tenant_id, id, first_name, last_name) on crm.contacts to appointd_worker;

create trigger keep_updated_at before update of tenant_id, id, first_name, last_name, email, phone, created_at, renames,
renamed_at, account_id, external_id, metadata on crm.contacts
for each row execute function app.keep_updated_at('{name_key,last_name_key,phone_digits}');
create trigger record_change after insert or delete or update on crm.contacts
for each row execute function operations.record_change();
create trigger record_deletion after delete on crm.contacts
for each row execute function operations.record_deletion('contact');
create trigger record_event after insert or delete or update on crm.contacts
for each row execute function messaging.record_event('contact', 'viewer', '{}');


-- What contacts want to be told, a row for each who was ever asked about. Without a row: everything.
create table crm.message_preferences (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The contact.
    contact_id uuid not null,
    -- Whether they get reminders of their appointments.
    reminders boolean not null default true,
    -- Whether they are thanked after an appointment.
    thanks boolean not null default true,
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    constraint message_preferences_pkey primary key (tenant_id, contact_id),
    constraint message_preferences_contact_fkey foreign key (
        tenant_id, contact_id
    ) references crm.contacts(tenant_id, id) on delete cascade,
    constraint message_preferences_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id)
);

alter table crm.message_preferences enable row level security, force row level security;

create policy tenant_floor on crm.message_preferences as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_insert on crm.message_preferences as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_select on crm.message_preferences as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_update on crm.message_preferences as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy gate_insert on crm.message_preferences as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on crm.message_preferences as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on crm.message_preferences as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on crm.message_preferences as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_insert on crm.message_preferences as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on crm.message_preferences as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on crm.message_preferences as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on crm.message_preferences to appointd_api;
grant insert (contact_id, reminders, thanks) on crm.message_preferences to appointd_api;
grant update (contact_id, reminders, thanks, updated_at) on crm.message_preferences to appointd_api;
grant select on crm.message_preferences to appointd_gate;
grant insert (contact_id, reminders, thanks) on crm.message_preferences to appointd_gate;
grant update (reminders, thanks, updated_at) on crm.message_preferences to appointd_gate;

create trigger keep_updated_at before update of tenant_id, contact_id, reminders, thanks on crm.message_preferences
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on crm.message_preferences
for each row execute function operations.record_change();


-- Whether an account is linked to the contact.
create function crm.has_account(contact uuid)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from crm.contacts as c
        where
            c.tenant_id = (select app.tenant())
            and c.id = contact
            and c.account_id is not null
    );
end
$$;

grant execute on function crm.has_account(uuid) to appointd_api;


-- The contacts that are linked to the signed-in account, by id.
create function crm.own_contacts()
returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select c.id
        from crm.contacts as c
        where
            c.tenant_id = (select app.tenant())
            and c.account_id = (select app.account())
    );
end
$$;

grant execute on function crm.own_contacts() to appointd_api;


-- Switches off one kind of messages to a contact, for who has the link of such a message, or only looks whether the
-- link is valid. Returns the slug of the organization; null: the link is not valid, or the host of the request is that
-- of another organization.
create function crm.unsubscribe(organization uuid, contact uuid, kind text, proof bytea, only_look boolean)
returns text
language plpgsql security definer
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

alter function crm.unsubscribe(uuid,uuid,text,bytea,boolean) owner to appointd_gate;
grant execute on function crm.unsubscribe(uuid,uuid,text,bytea,boolean) to appointd_door;


-- What a link proves that switches off one kind of messages to a contact. For functions of the gate.
create function crm.unsubscribe_proof(organization uuid, contact uuid, kind text)
returns bytea
language plpgsql stable
as $$
begin
    return app.proof('unsubscribe ' || kind, organization, contact);
end
$$;

alter function crm.unsubscribe_proof(uuid,uuid,text) owner to appointd_gate;
