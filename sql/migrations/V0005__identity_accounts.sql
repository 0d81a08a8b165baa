-- Accounts: people, once each, across all organizations they work for. One of the few tables without a tenant, and
-- forced behind policies all the same: the server sees the signed-in account and, once it has entered a tenant, its
-- colleagues (tenancy.members); no password hash except through identity.sign_in.

create table identity.accounts (
    id uuid not null,
    email text not null,
    full_name text,
    password_hash text not null,
    created_at timestamptz not null default now(),
    email_verified_at timestamptz,
    updated_at timestamptz not null default now(),
    named_at timestamptz not null default now(),
    constraint accounts_pkey primary key (id),
    constraint accounts_email_key unique (email),
    constraint accounts_email_lower_case check (email = lower(email) and length(email) between 3 and 254),
    constraint accounts_full_name_length check (length(full_name) between 1 and 200)
);

comment on table identity.accounts is
    'A person who can sign in. Global: membership in an organization is in tenancy.members.';
comment on column identity.accounts.id is 'UUIDv7, made by the server.';
comment on column identity.accounts.email is
    'Sign-in name, lower case, at most 254 characters (RFC 5321 section 4.5.3.1.3). Unique in the whole system.';
comment on column identity.accounts.full_name is 'Name of the person, 1 to 200 characters; null: not given.';
comment on column identity.accounts.password_hash is
    'Argon2id in PHC string format. Only functions of the gate read it.';
comment on column identity.accounts.created_at is 'When the account was registered.';
comment on column identity.accounts.email_verified_at is
    'When the person proved that they receive mail at the address; null: not yet.';
comment on column identity.accounts.updated_at is 'When name, address or password last changed.';
comment on column identity.accounts.named_at is
    'When the name last changed. Colleagues see this, and not when the password changed.';

alter table identity.accounts enable row level security;
alter table identity.accounts force row level security;

create policy own_account_select on identity.accounts as permissive for select to appointd_api
    using (id = (select app.account()));
create policy own_account_update on identity.accounts as permissive for update to appointd_api
    using (id = (select app.account()))
    with check (id = (select app.account()));

-- People belong to no tenant: with one in the context the owner may export those who belong to it, and import them.
create policy owner_select on identity.accounts as permissive for select to appointd_owner
    using ((select app.tenant()) is not null);
create policy owner_insert on identity.accounts as permissive for insert to appointd_owner
    with check ((select app.tenant()) is not null);
create policy gate_select on identity.accounts as permissive for select to appointd_gate using (true);
create policy gate_insert on identity.accounts as permissive for insert to appointd_gate with check (true);
create policy gate_update on identity.accounts as permissive for update to appointd_gate using (true) with check (true);

grant
    select (id, email, full_name, created_at, email_verified_at, named_at),
    update (full_name, updated_at, named_at)
on identity.accounts to appointd_api;
grant select, insert, update on identity.accounts to appointd_gate;
call app.date_changes('identity.accounts');

create function identity.email_of(account uuid) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select a.email from identity.accounts as a where a.id = account);
end
$$;

comment on function identity.email_of(uuid) is
    'E-mail address of an account that the caller may see; null if they may not.';

grant execute on function identity.email_of(uuid) to appointd_api;
