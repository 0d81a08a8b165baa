-- Contacts: the people an organization deals with (its trade may call them customers, patients or leads).

create table crm.contacts (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    first_name text not null,
    last_name text not null,
    email text,
    phone text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    renames integer not null default 0,
    renamed_at timestamptz,
    account_id uuid,
    external_id text,
    metadata jsonb,
    name_key text collate "C" generated always as (lower((first_name || ' ' || last_name) collate "und-x-icu")) stored,
    last_name_key text collate "C" generated always as (lower(last_name collate "und-x-icu")) stored,
    phone_digits text collate "C" generated always as (nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')) stored,
    constraint contacts_pkey primary key (tenant_id, id),
    constraint contacts_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint contacts_account_fkey foreign key (account_id) references identity.accounts (id),
    constraint contacts_external_id_length check (length(external_id) between 1 and 200),
    constraint contacts_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()')) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue() ? (!(@.key like_regex "^[A-Za-z0-9_.-]{1,40}$"))')
        -- PostgreSQL repeats at most 255 times.
        and not jsonb_path_exists(
            metadata, 'strict $.* ? (@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'
        )
    ),
    constraint contacts_first_name_length check (length(first_name) between 1 and 100),
    constraint contacts_last_name_length check (length(last_name) between 1 and 100),
    constraint contacts_email_lower_case check (email = lower(email) and length(email) between 3 and 254),
    constraint contacts_phone_length check (length(phone) between 1 and 50)
);

comment on table crm.contacts is
    'A person the organization deals with. Two contacts may have the same e-mail address: families share one.';
comment on column crm.contacts.id is 'UUIDv7, so that the order of ids is the order of creation.';
comment on column crm.contacts.first_name is 'Given name, 1 to 100 characters.';
comment on column crm.contacts.last_name is 'Family name, 1 to 100 characters.';
comment on column crm.contacts.email is 'E-mail address, lower case; null: not known.';
comment on column crm.contacts.phone is
    'Telephone number as the person writes it, at most 50 characters; null: not known.';
comment on column crm.contacts.created_at is 'When the contact was created.';
comment on column crm.contacts.updated_at is 'When the row last changed.';
comment on column crm.contacts.renames is
    'How often the name changed. Part of the SEQUENCE of calendar entries (RFC 5545 section 3.8.7.4), whose summary '
    'shows the name.';
comment on column crm.contacts.renamed_at is 'When the name last changed; null: never.';
comment on column crm.contacts.account_id is
    'Account of the person, linked by accepting an invitation; with it they see their own data.';
comment on column crm.contacts.external_id is 'Id in another system, at most 200 characters; null: none.';
comment on column crm.contacts.metadata is
    'What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.';
-- Columns, because policies let an index serve a comparison only if it cannot leak, as that of two texts.
comment on column crm.contacts.name_key is 'First and last name in lower case, to search by.';
comment on column crm.contacts.last_name_key is 'Last name in lower case, to search by.';
comment on column crm.contacts.phone_digits is 'Digits of the telephone number, to search by; null: none.';

create index contacts_account_idx on crm.contacts (tenant_id, account_id) where account_id is not null;
-- Serves the foreign key: deleting an account looks for its contacts.
create index contacts_account_fkey_idx on crm.contacts (account_id) where account_id is not null;
-- What changed since an instant.
create index contacts_updated_idx on crm.contacts (tenant_id, updated_at);
create unique index contacts_external_id_key on crm.contacts (tenant_id, external_id)
where external_id is not null;
-- Access paths of GET /contacts, by equality and by the beginning.
create index contacts_email_idx on crm.contacts (tenant_id, email collate "C");
create index contacts_name_idx on crm.contacts (tenant_id, name_key);
create index contacts_last_name_idx on crm.contacts (tenant_id, last_name_key);
create index contacts_phone_idx on crm.contacts (tenant_id, phone_digits);

call app.build_wall('crm.contacts', reads => 'viewer', inserts => 'staff', updates => 'staff', deletes => 'manager');
create policy customer_select on crm.contacts as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and account_id = (select app.account())
        and (select app.role() = any ('{customer}'))
    );

-- A guest who books becomes a contact without an account.
call app.open_to('crm.contacts', 'guest', 'insert', 'account_id is null');
call app.admit('crm.contacts', 'appointd_gate', array['select', 'update']);
call app.admit('crm.contacts', 'appointd_owner', array['all']);
call operations.audit('crm.contacts');
call app.date_changes('crm.contacts');

grant
    select,
    insert (id, first_name, last_name, email, phone, external_id, metadata),
    update (
        first_name, last_name, email, phone, updated_at, renames, renamed_at, account_id, external_id, metadata
    ),
    delete
on crm.contacts to appointd_api;
grant
    select (tenant_id, id, first_name, last_name, email, created_at, renames, renamed_at, account_id),
    update (updated_at, account_id)
on crm.contacts to appointd_gate;

create function crm.has_account(contact uuid) returns boolean
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

comment on function crm.has_account(uuid) is 'Whether an account is linked to the contact.';

grant execute on function crm.has_account(uuid) to appointd_api;

-- For policies that show customers what is theirs. A function, not a sub-select: the executor prepares every sub-select
-- of every policy of a table, with the policies of the tables in it, for members as well. Written
-- `= any ((select crm.own_contacts())::uuid[])`, it runs once a statement, and only for a customer.
create function crm.own_contacts() returns uuid[]
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

comment on function crm.own_contacts() is 'The contacts that are linked to the signed-in account, by id.';

grant execute on function crm.own_contacts() to appointd_api;
