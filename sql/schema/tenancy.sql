-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- Organizations (the tenants), their plans, settings and members.
create schema tenancy authorization appointd_owner;

grant usage on schema tenancy to appointd_api;
grant usage on schema tenancy to appointd_auditor;
grant usage on schema tenancy to appointd_door;
grant usage on schema tenancy to appointd_gate;
grant usage on schema tenancy to appointd_worker;


-- What the owners of an organization were told by e-mail about its health, so that they are told once.
create table tenancy.alerts (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The problems that they were told and that have not ended since: kind, and what it is about.
    told text[] not null default '{}',
    -- The day in the time zone of the organization on which they were told last; null: never.
    told_on date,
    constraint alerts_pkey primary key (tenant_id),
    constraint alerts_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id)
);

alter table tenancy.alerts enable row level security, force row level security;

create policy tenant_floor on tenancy.alerts as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.alerts as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_insert on tenancy.alerts as permissive for insert to appointd_worker
    with check (tenant_id = (select app.tenant()));
create policy worker_select on tenancy.alerts as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_update on tenancy.alerts as permissive for update to appointd_worker
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant select on tenancy.alerts to appointd_worker;
grant insert (told, told_on) on tenancy.alerts to appointd_worker;
grant update (told, told_on) on tenancy.alerts to appointd_worker;


-- Keys of programs. A key has the lower of its own role and the present role of its maker, within its scopes, while it
-- is neither revoked nor expired and its maker is an active member.
create table tenancy.api_keys (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7. Part of the key, which also names the organization; neither is secret.
    id uuid not null,
    -- Purpose of the key, 1 to 100 characters.
    name text not null,
    -- SHA-256 of the secret part. That is 256 random bits, so a fast hash is enough.
    secret_hash bytea not null,
    -- Role of the key, at most admin. Lowered with the role of its maker.
    role text not null,
    -- <module>:read or <module>:write; write includes read. The API description names the scope of each operation.
    scopes text[] not null,
    -- Until when it is valid; null: until it is revoked.
    expires_at timestamptz,
    -- When it was last used, to the minute.
    last_used_at timestamptz,
    -- When it was revoked.
    revoked_at timestamptz,
    -- When it was made.
    created_at timestamptz not null default now(),
    -- The account that made it: its maker.
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    -- When it was made or revoked, or its role was lowered. Use is no change.
    updated_at timestamptz not null default now(),
    constraint api_keys_pkey primary key (tenant_id, id),
    constraint api_keys_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint api_keys_name_length check (length(name) >= 1 and length(name) <= 100),
    constraint api_keys_role check (role = any (array['admin', 'manager', 'staff', 'viewer'])),
    constraint api_keys_scopes check (
        cardinality(scopes) >= 1 and cardinality(scopes) <= 20 and array_position(scopes, null::text) is null
    ),
    constraint api_keys_secret_hash_length check (length(secret_hash) = 32)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index api_keys_created_by_idx on tenancy.api_keys using btree (tenant_id, created_by);
create index api_keys_updated_idx on tenancy.api_keys using btree (tenant_id, updated_at);

alter table tenancy.api_keys enable row level security, force row level security;

create policy tenant_floor on tenancy.api_keys as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy verified_insert on tenancy.api_keys as restrictive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.may_hand_out() as may_hand_out));
create policy admin_select on tenancy.api_keys as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_select on tenancy.api_keys as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on tenancy.api_keys as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.api_keys as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_insert on tenancy.api_keys as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));
create policy owner_update on tenancy.api_keys as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));

grant insert (id, name, secret_hash, role, scopes, expires_at) on tenancy.api_keys to appointd_api;
grant select (
    tenant_id, id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by, updated_at
) on tenancy.api_keys to appointd_api;
grant update (revoked_at) on tenancy.api_keys to appointd_api;
grant select (
    tenant_id, id, secret_hash, role, scopes, expires_at, last_used_at, revoked_at, created_by
) on tenancy.api_keys to appointd_gate;
grant update (role, last_used_at, revoked_at) on tenancy.api_keys to appointd_gate;

create trigger end_handed_out_by_key after update of revoked_at on tenancy.api_keys
for each row
when (old.revoked_at is null and new.revoked_at is not null) execute function tenancy.end_handed_out_by_key();
create trigger keep_within_plan_insert after insert on tenancy.api_keys
for each row execute function tenancy.keep_within_plan('api_keys');
create trigger record_change after insert or delete or update on tenancy.api_keys
for each row execute function operations.record_change();
create trigger touch before update of role, revoked_at on tenancy.api_keys
for each row when (new.role <> old.role or new.revoked_at is distinct from old.revoked_at) execute function app.touch();


-- How an organization presents itself to its customers, one row each. Public.
create table tenancy.branding (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Name shown to customers, 1 to 200 characters; null: the name of the organization.
    display_name text,
    -- https URL of a picture.
    logo_url text,
    -- https URL of a small picture. Feature custom_branding.
    favicon_url text,
    -- sRGB as #rrggbb, lower case. Feature custom_branding.
    primary_color text,
    -- sRGB as #rrggbb, lower case. Feature custom_branding.
    secondary_color text,
    -- https URL of a style sheet. Feature custom_branding.
    style_sheet_url text,
    -- When it last changed.
    updated_at timestamptz not null default now(),
    -- Postal address shown to customers, in lines, at most 500 characters; null: none is shown.
    address text,
    constraint branding_pkey primary key (tenant_id),
    constraint branding_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint branding_address_length check (length(address) >= 1 and length(address) <= 500),
    constraint branding_display_name_length check (length(display_name) >= 1 and length(display_name) <= 200),
    constraint branding_favicon_url check (favicon_url ~ '^https://[^[:space:]]+$' and length(favicon_url) <= 2000),
    constraint branding_logo_url check (logo_url ~ '^https://[^[:space:]]+$' and length(logo_url) <= 2000),
    constraint branding_primary_color check (primary_color ~ '^#[0-9a-f]{6}$'),
    constraint branding_secondary_color check (secondary_color ~ '^#[0-9a-f]{6}$'),
    constraint branding_style_sheet_url check (
        style_sheet_url ~ '^https://[^[:space:]]+$' and length(style_sheet_url) <= 2000
    )
);

alter table tenancy.branding enable row level security, force row level security;

create policy tenant_floor on tenancy.branding as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_update on tenancy.branding as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_insert on tenancy.branding as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on tenancy.branding as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on tenancy.branding as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy owner_all on tenancy.branding as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy viewer_select on tenancy.branding as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on tenancy.branding as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select on tenancy.branding to appointd_api;
grant update (
    display_name, logo_url, favicon_url, primary_color, secondary_color, style_sheet_url, updated_at, address
) on tenancy.branding to appointd_api;
grant select on tenancy.branding to appointd_gate;
grant insert (display_name) on tenancy.branding to appointd_gate;
grant select (tenant_id, display_name, logo_url, primary_color, address) on tenancy.branding to appointd_worker;

create trigger keep_updated_at before update of tenant_id, display_name, logo_url, favicon_url, primary_color,
secondary_color, style_sheet_url on tenancy.branding
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on tenancy.branding
for each row execute function operations.record_change();
create trigger record_event after update on tenancy.branding
for each row execute function messaging.record_event('branding', 'viewer', '{}');
create trigger verified_only_update before update of logo_url, favicon_url, style_sheet_url on tenancy.branding
for each row
when (
    new.logo_url <> coalesce(old.logo_url, '')
    or new.favicon_url <> coalesce(old.favicon_url, '')
    or new.style_sheet_url <> coalesce(old.style_sheet_url, '')
) execute function app.verified_only();


-- Domains that an organization claims. A verified one is in tenancy.verified_domains as well.
create table tenancy.domains (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7.
    id uuid not null,
    -- A domain name in its ASCII form (IDNA 2008, RFC 5891), lower case, without a dot at the end.
    domain text not null,
    -- Required content of the TXT record _appointd-challenge.<domain>.
    challenge text not null,
    -- When the record was first seen; null: not yet, or the domain lapsed or went to another organization.
    verified_at timestamptz,
    -- When it was added.
    created_at timestamptz not null default now(),
    -- When it was added or verified, lapsed, or its DNS record went missing or was found again.
    updated_at timestamptz not null default now(),
    constraint domains_pkey primary key (tenant_id, id),
    constraint domains_domain_key unique (tenant_id, domain),
    constraint domains_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint domains_domain_form check (
        domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' and length(domain) <= 253
    )
);

create index domains_updated_idx on tenancy.domains using btree (tenant_id, updated_at);

alter table tenancy.domains enable row level security, force row level security;

create policy tenant_floor on tenancy.domains as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_select on tenancy.domains as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_select on tenancy.domains as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on tenancy.domains as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.domains as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_delete on tenancy.domains as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));
create policy owner_insert on tenancy.domains as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));

grant select, delete on tenancy.domains to appointd_api;
grant insert (id, domain, challenge) on tenancy.domains to appointd_api;
grant select (tenant_id, id, domain, challenge, verified_at) on tenancy.domains to appointd_gate;
grant update (verified_at, updated_at) on tenancy.domains to appointd_gate;

create trigger record_change after insert or delete or update on tenancy.domains
for each row execute function operations.record_change();
create trigger record_deletion after delete on tenancy.domains
for each row execute function operations.record_deletion('domain');
create trigger touch before update of verified_at on tenancy.domains
for each row when (new.verified_at is distinct from old.verified_at) execute function app.touch();
create trigger verified_only_insert before insert on tenancy.domains
for each row execute function app.verified_only();


-- What a plan can include.
create table tenancy.features (
    -- Its name in the API.
    feature text not null,
    -- What it is, for people to read.
    description text not null,
    constraint features_pkey primary key (feature),
    constraint features_form check (feature ~ '^[a-z][a-z_]{0,49}$')
);

alter table tenancy.features enable row level security, force row level security;

create policy entered_select on tenancy.features as permissive for select to appointd_api
    using ((select app.tenant()) is not null or (select app.account()) is not null);
create policy gate_select on tenancy.features as permissive for select to appointd_gate
    using (true);
create policy owner_select on tenancy.features as permissive for select to appointd_owner
    using (true);

grant select on tenancy.features to appointd_api;
grant select on tenancy.features to appointd_gate;


-- Slugs and subdomains that organizations had before. Global, because names are: the key has no tenant in it on
-- purpose. Public, as the names are.
create table tenancy.former_names (
    -- slug or subdomain.
    kind text not null,
    -- The name.
    name text not null,
    -- The organization that had it.
    organization_id uuid not null default app.tenant(),
    -- Until this time the name leads to the organization, and no other organization may take it.
    kept_until timestamptz not null default now() + '90 days'::interval,
    constraint former_names_pkey primary key (kind, name),
    constraint former_names_organization_fkey foreign key (organization_id) references tenancy.organizations(id),
    constraint former_names_kind check (kind = any (array['slug', 'subdomain']))
);

create index former_names_organization_idx on tenancy.former_names using btree (organization_id);

alter table tenancy.former_names enable row level security, force row level security;

create policy gate_all on tenancy.former_names as permissive for all to appointd_gate
    using (true)
    with check (true);
create policy own_select on tenancy.former_names as permissive for select to appointd_api
    using (organization_id = (select app.tenant()));
create policy owner_all on tenancy.former_names as permissive for all to appointd_owner
    using (organization_id = (select app.tenant()))
    with check (organization_id = (select app.tenant()));

grant select on tenancy.former_names to appointd_api;
grant select, insert, update, delete on tenancy.former_names to appointd_gate;


-- Open invitations, sent by e-mail. Accepting or withdrawing one deletes the row.
create table tenancy.invitations (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7.
    id uuid not null,
    -- Address of the invited person, lower case. At most one open invitation per address.
    email text not null,
    -- Role of the future member, at most that of the inviter.
    role text not null,
    -- For a customer: the contact that the person is.
    contact_id uuid,
    -- SHA-256 of the secret in the e-mail.
    token_hash bytea not null,
    -- When the invitation was made.
    created_at timestamptz not null default now(),
    -- The account or API key that sent it last: its giver. It can be accepted only while the giver may still give the
    -- role (tenancy.may_give).
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    -- When the e-mail was last sent.
    sent_at timestamptz not null default now(),
    -- Until when it can be accepted.
    expires_at timestamptz not null,
    constraint invitations_pkey primary key (tenant_id, id),
    constraint invitations_email_key unique (tenant_id, email),
    constraint invitations_contact_fkey foreign key (
        tenant_id, contact_id
    ) references crm.contacts(tenant_id, id) on delete cascade,
    constraint invitations_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint invitations_contact check ((role = 'customer') = (contact_id is not null)),
    constraint invitations_email_lower_case check (
        email = lower(email) and length(email) >= 3 and length(email) <= 254
    ),
    constraint invitations_role check (role = any (array['admin', 'manager', 'staff', 'viewer', 'customer'])),
    constraint invitations_token_hash_length check (length(token_hash) = 32)
);

create index invitations_contact_idx on tenancy.invitations using btree (tenant_id, contact_id)
where contact_id is not null;
create index invitations_created_by_idx on tenancy.invitations using btree (tenant_id, created_by);

alter table tenancy.invitations enable row level security, force row level security;

create policy role_ceiling_delete on tenancy.invitations as restrictive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (role = 'customer' or (select app.role() = any ('{admin,owner}'))));
create policy role_ceiling_insert on tenancy.invitations as restrictive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (role = any (app.roles_up_to((select app.role()))))
        and (role = 'customer' or (select app.role() = any ('{admin,owner}')))
    );
create policy role_ceiling_update on tenancy.invitations as restrictive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (role = 'customer' or (select app.role() = any ('{admin,owner}'))));
create policy tenant_floor on tenancy.invitations as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy verified_insert on tenancy.invitations as restrictive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.may_hand_out() as may_hand_out));
create policy verified_update on tenancy.invitations as restrictive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.may_hand_out() as may_hand_out));
create policy gate_delete on tenancy.invitations as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_select on tenancy.invitations as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.invitations as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on tenancy.invitations as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on tenancy.invitations as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_select on tenancy.invitations as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on tenancy.invitations as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));

grant delete on tenancy.invitations to appointd_api;
grant insert (id, email, role, contact_id, token_hash, expires_at) on tenancy.invitations to appointd_api;
grant select (
    tenant_id, id, email, role, contact_id, created_at, created_by, sent_at, expires_at
) on tenancy.invitations to appointd_api;
grant update (token_hash, sent_at, expires_at) on tenancy.invitations to appointd_api;
grant select, delete on tenancy.invitations to appointd_gate;

create trigger keep_within_plan_insert after insert on tenancy.invitations
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
create trigger keep_within_plan_update after update of expires_at on tenancy.invitations
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
create trigger record_change after insert or delete or update on tenancy.invitations
for each row execute function operations.record_change();
create trigger record_deletion after delete on tenancy.invitations
for each row execute function operations.record_deletion('invitation');
create trigger record_event after insert or delete or update on tenancy.invitations
for each row execute function messaging.record_event('invitation', 'staff', '{token_hash}');
create trigger sender_is_giver before update of token_hash on tenancy.invitations
for each row execute function tenancy.sender_is_giver();


-- Memberships: people who work for an organization, and customers with an account.
create table tenancy.members (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The person.
    account_id uuid not null,
    -- owner > admin > manager > staff > viewer; or customer. The policies of every table name the roles they admit.
    role text not null,
    -- When the person joined.
    created_at timestamptz not null default now(),
    -- active, or suspended: still a member, but may not enter.
    status text not null default 'active',
    -- When role or status last changed.
    updated_at timestamptz not null default now(),
    constraint members_pkey primary key (tenant_id, account_id),
    constraint members_account_fkey foreign key (account_id) references identity.accounts(id),
    constraint members_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint members_role check (role = any (array['owner', 'admin', 'manager', 'staff', 'viewer', 'customer'])),
    constraint members_status check (status = any (array['active', 'suspended']))
);

create index members_account_idx on tenancy.members using btree (account_id, tenant_id);
create index members_updated_idx on tenancy.members using btree (tenant_id, updated_at);

alter table tenancy.members enable row level security, force row level security;

create policy tenant_floor_delete on tenancy.members as restrictive for delete to public
    using (tenant_id = (select app.tenant()));
create policy tenant_floor_insert on tenancy.members as restrictive for insert to public
    with check (tenant_id = (select app.tenant()));
create policy tenant_floor_select on tenancy.members as restrictive for select to public
    using (tenant_id = (select app.tenant()) or account_id = (select app.account()));
create policy tenant_floor_update on tenancy.members as restrictive for update to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_delete on tenancy.members as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and (role = any (app.roles_up_to((select app.role()))))
    );
create policy admin_update on tenancy.members as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and (role = any (app.roles_up_to((select app.role()))))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and (role = any (app.roles_up_to((select app.role()))))
    );
create policy gate_insert on tenancy.members as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on tenancy.members as permissive for select to appointd_gate
    using (account_id = (select app.account()));
create policy gate_tenant_delete on tenancy.members as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_tenant_select on tenancy.members as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_tenant_update on tenancy.members as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy own_select on tenancy.members as permissive for select to appointd_api
    using (account_id = (select app.account()));
create policy owner_all on tenancy.members as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy viewer_select on tenancy.members as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on tenancy.members to appointd_api;
grant update (role, status, updated_at) on tenancy.members to appointd_api;
grant select, delete on tenancy.members to appointd_gate;
grant insert (account_id, role) on tenancy.members to appointd_gate;
grant update (role, status, updated_at) on tenancy.members to appointd_gate;

create trigger keep_an_owner_delete after delete on tenancy.members
for each row when (old.role = 'owner') execute function tenancy.keep_an_owner();
create trigger keep_an_owner_update after update of role, status on tenancy.members
for each row
when (old.role = 'owner' and (new.role <> 'owner' or new.status <> 'active')) execute function tenancy.keep_an_owner();
create trigger keep_handed_out_below_delete after delete on tenancy.members
for each row execute function tenancy.keep_handed_out_below();
create trigger keep_handed_out_below_update after update of role on tenancy.members
for each row
when (
    new.role <> old.role and not (old.role = any (app.roles_up_to(new.role)))
) execute function tenancy.keep_handed_out_below();
create trigger keep_updated_at before update of tenant_id, account_id, role, created_at, status on tenancy.members
for each row execute function app.keep_updated_at('{}');
create trigger keep_within_plan_insert after insert on tenancy.members
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
create trigger keep_within_plan_update after update of status, role on tenancy.members
for each row
when (
    new.role <> 'customer' and new.status = 'active' and (old.role = 'customer' or old.status <> 'active')
) execute function tenancy.keep_within_plan('members');
create trigger lock_person before delete on tenancy.members
for each row execute function scheduling.lock_person();
create trigger record_change after insert or delete or update on tenancy.members
for each row execute function operations.record_change();
create trigger record_deletion after insert or delete on tenancy.members
for each row execute function operations.record_deletion('member');
create trigger record_event after insert or delete or update on tenancy.members
for each row execute function messaging.record_event('member', 'viewer', '{}');


-- A business that offers appointments: the tenant that every other row belongs to.
create table tenancy.organizations (
    -- UUIDv7. This is the tenant_id of every tenant table.
    id uuid not null,
    -- Name shown to people, 1 to 200 characters.
    name text not null,
    -- Name for addresses: one DNS label (RFC 1123 section 2.1), lower case. Unique in the whole system.
    slug text not null,
    -- IANA time zone name, checked by the server. Times are shown in it unless a request asks for another zone.
    time_zone text not null default 'UTC',
    -- active; suspended (by the operator); deleted (by an owner, who may restore it until purge_after). Only active
    -- organizations can be entered (see app.enter).
    status text not null default 'active',
    -- When the organization was registered.
    created_at timestamptz not null default now(),
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    -- One DNS label in front of the base domain of the server; null: none. Unique in the whole system.
    subdomain text,
    -- When an owner deleted it.
    deleted_at timestamptz,
    -- From this time on `appointd tenant purge` deletes its rows.
    purge_after timestamptz,
    constraint organizations_pkey primary key (id),
    constraint organizations_slug_key unique (slug),
    constraint organizations_subdomain_key unique (subdomain),
    constraint organizations_deletion check (
        (status = 'deleted') = (deleted_at is not null and purge_after is not null)
    ),
    constraint organizations_name_length check (length(name) >= 1 and length(name) <= 200),
    constraint organizations_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint organizations_slug_reserved check (
        slug <> all (
            array['www', 'api', 'admin', 'app', 'dashboard', 'auth', 'login', 'account', 'accounts', 'billing', 'blog',
            'cdn', 'docs', 'ftp', 'help', 'internal', 'mail', 'ns1', 'ns2', 'smtp', 'static', 'status', 'support',
            'test', 'appointd', 'security', 'postmaster', 'hostmaster', 'webmaster', 'localhost', 'local', 'wpad',
            'autodiscover', 'autoconfig', 'imap', 'pop', 'pop3', 'webmail', 'mta-sts', 'isatap']
        )
    ),
    constraint organizations_status check (status = any (array['active', 'suspended', 'deleted'])),
    constraint organizations_subdomain_form check (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint organizations_subdomain_reserved check (
        (
            subdomain <> all (
                array['www', 'api', 'admin', 'app', 'dashboard', 'auth', 'login', 'account', 'accounts', 'billing',
                'blog', 'cdn', 'docs', 'ftp', 'help', 'internal', 'mail', 'ns1', 'ns2', 'smtp', 'static', 'status',
                'support', 'test', 'appointd', 'security', 'postmaster', 'hostmaster', 'webmaster', 'localhost',
                'local', 'wpad', 'autodiscover', 'autoconfig', 'imap', 'pop', 'pop3', 'webmail', 'mta-sts', 'isatap']
            )
        )
        and subdomain !~~ 'xn--%'
    ),
    constraint organizations_time_zone_length check (length(time_zone) >= 1 and length(time_zone) <= 64)
);

alter table tenancy.organizations enable row level security, force row level security;

create policy tenant_floor_delete on tenancy.organizations as restrictive for delete to public
    using (id = (select app.tenant()));
create policy tenant_floor_insert on tenancy.organizations as restrictive for insert to public
    with check (id = (select app.tenant()));
create policy tenant_floor_select on tenancy.organizations as restrictive for select to public
    using (id = (select app.tenant()) or (select current_user) = 'appointd_gate'::name);
create policy tenant_floor_update on tenancy.organizations as restrictive for update to public
    using (id = (select app.tenant()))
    with check (id = (select app.tenant()));
create policy admin_update on tenancy.organizations as permissive for update to appointd_api
    using (id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy entering_select on tenancy.organizations as permissive for select to appointd_api
    using (id = (select app.tenant()));
create policy gate_insert on tenancy.organizations as permissive for insert to appointd_gate
    with check (id = (select app.tenant()));
create policy gate_select on tenancy.organizations as permissive for select to appointd_gate
    using (true);
create policy gate_update on tenancy.organizations as permissive for update to appointd_gate
    using (id = (select app.tenant()))
    with check (id = (select app.tenant()));
create policy owner_all on tenancy.organizations as permissive for all to appointd_owner
    using (id = (select app.tenant()))
    with check (id = (select app.tenant()));
create policy viewer_select on tenancy.organizations as permissive for select to appointd_api
    using (id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on tenancy.organizations as permissive for select to appointd_worker
    using (id = (select app.tenant()));

grant select on tenancy.organizations to appointd_api;
grant update (name, slug, time_zone, updated_at, subdomain) on tenancy.organizations to appointd_api;
grant select, insert on tenancy.organizations to appointd_gate;
grant update (status, deleted_at, purge_after) on tenancy.organizations to appointd_gate;
grant select (id, name, time_zone, status) on tenancy.organizations to appointd_worker;

create trigger add_turn after insert on tenancy.organizations
for each row execute function messaging.add_turn();
create trigger keep_names after insert or update of slug, subdomain on tenancy.organizations
for each row execute function tenancy.keep_names();
create trigger keep_updated_at before update of id, name, slug, time_zone, status, created_at, subdomain, deleted_at,
purge_after on tenancy.organizations
for each row execute function app.keep_updated_at('{}');
create trigger note_freed_update after update on tenancy.organizations
for each row when (new.time_zone <> old.time_zone) execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on tenancy.organizations
for each row execute function operations.record_change();
create trigger record_event after update on tenancy.organizations
for each row execute function messaging.record_event('organization', 'viewer', '{}');


-- Which plan includes which feature.
create table tenancy.plan_features (
    -- The plan.
    plan_type text not null,
    -- The feature it includes.
    feature text not null,
    constraint plan_features_pkey primary key (plan_type, feature),
    constraint plan_features_feature_fkey foreign key (feature) references tenancy.features(feature),
    constraint plan_features_plan_fkey foreign key (plan_type) references tenancy.plans(plan_type)
);

create index plan_features_feature_idx on tenancy.plan_features using btree (feature);

alter table tenancy.plan_features enable row level security, force row level security;

create policy entered_select on tenancy.plan_features as permissive for select to appointd_api
    using ((select app.tenant()) is not null or (select app.account()) is not null);
create policy gate_select on tenancy.plan_features as permissive for select to appointd_gate
    using (true);
create policy owner_select on tenancy.plan_features as permissive for select to appointd_owner
    using (true);

grant select on tenancy.plan_features to appointd_api;
grant select on tenancy.plan_features to appointd_gate;


-- What an organization can subscribe to. Changing a row changes it for every organization on that plan.
create table tenancy.plans (
    -- Its name in the API.
    plan_type text not null,
    -- Rank, from the smallest plan to the largest.
    "position" integer not null,
    -- Maximum number of active providers; null: unlimited.
    max_providers integer,
    -- Maximum number of active members plus open invitations; null: unlimited. Customers do not count.
    max_members integer,
    -- Maximum size of files in gigabytes (10^9 bytes); null: unlimited.
    max_storage_gb integer,
    -- Maximum number of API keys that are neither revoked nor expired; null: unlimited.
    max_api_keys integer,
    -- Maximum number of requests a minute that the people and API keys of an organization together may send to one
    -- server. Each API key also has its own limit.
    requests_per_minute integer not null,
    -- For how many days events are kept.
    event_days integer not null default 90,
    constraint plans_pkey primary key (plan_type),
    constraint plans_position_key unique ("position"),
    constraint plans_form check (plan_type ~ '^[a-z][a-z_]{0,49}$'),
    constraint plans_limits check (
        max_providers >= 0
        and max_members >= 1
        and max_storage_gb >= 0
        and max_api_keys >= 0
        and requests_per_minute >= 1
        and event_days >= 1
    )
);

alter table tenancy.plans enable row level security, force row level security;

create policy entered_select on tenancy.plans as permissive for select to appointd_api
    using ((select app.tenant()) is not null or (select app.account()) is not null);
create policy gate_select on tenancy.plans as permissive for select to appointd_gate
    using (true);
create policy owner_select on tenancy.plans as permissive for select to appointd_owner
    using (true);

grant select on tenancy.plans to appointd_api;
grant select on tenancy.plans to appointd_gate;


-- Settings of an organization, one row each. The time zone is in tenancy.organizations. Language and formats are those
-- of messages to people and of pages; notify_by_email and data_retention_days are those of messages; notify_by_sms,
-- notify_by_push and gdpr_compliant are stored for clients.
create table tenancy.settings (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- BCP 47 language tag: language, optionally script and region.
    language text not null default 'en',
    -- How dates are shown to people: 2026-12-24, 24.12.2026, 24/12/2026 or 12/24/2026.
    date_format text not null default 'ymd_dashes',
    -- How times of day are shown to people: 14:30 (h24) or 2:30 pm (h12).
    time_format text not null default 'h24',
    -- Whether customers get e-mails about their appointments.
    notify_by_email boolean not null default true,
    -- Whether customers are notified by text message.
    notify_by_sms boolean not null default false,
    -- Whether customers are notified by push message.
    notify_by_push boolean not null default false,
    -- Number of days that data about people are kept after they were last needed.
    data_retention_days integer not null default 730,
    -- Whether the organization is bound by the GDPR (Regulation (EU) 2016/679).
    gdpr_compliant boolean not null default true,
    -- Whether members of this organization may belong to no other. Does not apply to its owners, nor to customers.
    exclusive_members boolean not null default true,
    -- Minutes before its start from which an appointment can be checked in, 0 to 1,440.
    check_in_opens_minutes integer not null default 60,
    -- When a setting last changed.
    updated_at timestamptz not null default now(),
    -- Origins of web pages, at most 20, that may read answers about the organization in a browser (CORS). They grant no
    -- right by themselves.
    trusted_origins text[] not null default '{}',
    -- Maximum number of bookings that guests may request from one network address within an hour, 1 to 10,000.
    guest_bookings_per_address integer not null default 20,
    -- Maximum number of bookings that guests may request with one e-mail address within a day, 1 to 10,000.
    guest_bookings_per_email integer not null default 5,
    -- Whether a booking of a guest with a verified e-mail address is made for the contact with that address, if exactly
    -- one contact has it. The contact is not changed.
    guests_match_by_verified_email boolean not null default false,
    -- How many minutes before an appointment its contact is reminded of it, at most five times, each 5 to 43,200. A
    -- service may say otherwise (scheduling.services.reminder_minutes).
    reminder_minutes integer[] not null default '{}'::integer[],
    -- How many minutes after an appointment was completed its contact is thanked, 0 to 43,200; null: never.
    thanks_after_minutes integer,
    -- https URL where customers can review the organization, which the thanks contain; null: none.
    review_url text,
    constraint settings_pkey primary key (tenant_id),
    constraint settings_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint settings_check_in_opens check (check_in_opens_minutes >= 0 and check_in_opens_minutes <= 1440),
    constraint settings_data_retention check (data_retention_days >= 30 and data_retention_days <= 36500),
    constraint settings_date_format check (
        date_format = any (array['ymd_dashes', 'dmy_dots', 'dmy_slashes', 'mdy_slashes'])
    ),
    constraint settings_guest_bookings_per_address check (
        guest_bookings_per_address >= 1 and guest_bookings_per_address <= 10000
    ),
    constraint settings_guest_bookings_per_email check (
        guest_bookings_per_email >= 1 and guest_bookings_per_email <= 10000
    ),
    constraint settings_language_form check (language ~ '^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$'),
    constraint settings_reminder_minutes check (
        cardinality(reminder_minutes) <= 5
        and array_position(reminder_minutes, null::integer) is null
        and (5 <= all (reminder_minutes))
        and (43200 >= all (reminder_minutes))
    ),
    constraint settings_review_url check (review_url ~ '^https://[^[:space:]]+$' and length(review_url) <= 2000),
    constraint settings_thanks_after check (thanks_after_minutes >= 0 and thanks_after_minutes <= 43200),
    constraint settings_time_format check (time_format = any (array['h24', 'h12'])),
    constraint settings_trusted_origins check (cardinality(trusted_origins) <= 20)
);

alter table tenancy.settings enable row level security, force row level security;

create policy tenant_floor on tenancy.settings as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_update on tenancy.settings as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_insert on tenancy.settings as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on tenancy.settings as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.settings as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy viewer_select on tenancy.settings as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on tenancy.settings as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select on tenancy.settings to appointd_api;
grant update (
    language, date_format, time_format, notify_by_email, notify_by_sms, notify_by_push, data_retention_days,
    gdpr_compliant, exclusive_members, check_in_opens_minutes, updated_at, trusted_origins, guest_bookings_per_address,
    guest_bookings_per_email, guests_match_by_verified_email, reminder_minutes, thanks_after_minutes, review_url
) on tenancy.settings to appointd_api;
grant select on tenancy.settings to appointd_gate;
grant insert (exclusive_members) on tenancy.settings to appointd_gate;
grant select (
    tenant_id, language, date_format, time_format, notify_by_email, data_retention_days, reminder_minutes,
    thanks_after_minutes, review_url
) on tenancy.settings to appointd_worker;

create trigger keep_updated_at before update of tenant_id, language, date_format, time_format, notify_by_email,
notify_by_sms, notify_by_push, data_retention_days, gdpr_compliant, exclusive_members, check_in_opens_minutes,
trusted_origins, guest_bookings_per_address, guest_bookings_per_email, guests_match_by_verified_email, reminder_minutes,
thanks_after_minutes, review_url on tenancy.settings
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on tenancy.settings
for each row execute function operations.record_change();
create trigger record_event after update on tenancy.settings
for each row execute function messaging.record_event('settings', 'viewer', '{}');
create trigger verified_only_update before update of trusted_origins, review_url on tenancy.settings
for each row
when (
    not new.trusted_origins <@ old.trusted_origins or new.review_url <> coalesce(old.review_url, '')
) execute function app.verified_only();


-- The plan of an organization, one row each. Every change that counts towards a limit locks the row (for no key
-- update), so that limits hold under races.
create table tenancy.subscriptions (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Its plan.
    plan_type text not null default 'basic',
    -- Features of the plan that the organization has switched off.
    disabled_features text[] not null default '{}',
    -- When plan or features last changed.
    updated_at timestamptz not null default now(),
    constraint subscriptions_pkey primary key (tenant_id),
    constraint subscriptions_plan_fkey foreign key (plan_type) references tenancy.plans(plan_type),
    constraint subscriptions_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id)
);

create index subscriptions_plan_idx on tenancy.subscriptions using btree (plan_type);

alter table tenancy.subscriptions enable row level security, force row level security;

create policy tenant_floor on tenancy.subscriptions as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy entering_select on tenancy.subscriptions as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()));
create policy gate_insert on tenancy.subscriptions as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on tenancy.subscriptions as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on tenancy.subscriptions as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.subscriptions as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_update on tenancy.subscriptions as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));
create policy viewer_select on tenancy.subscriptions as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on tenancy.subscriptions to appointd_api;
grant update (plan_type, disabled_features, updated_at) on tenancy.subscriptions to appointd_api;
grant select on tenancy.subscriptions to appointd_gate;
grant insert (plan_type, disabled_features) on tenancy.subscriptions to appointd_gate;
grant update (updated_at) on tenancy.subscriptions to appointd_gate;

create trigger keep_updated_at before update of tenant_id, plan_type, disabled_features on tenancy.subscriptions
for each row execute function app.keep_updated_at('{}');
create trigger keep_within_new_plan after update of plan_type on tenancy.subscriptions
for each row when (new.plan_type <> old.plan_type) execute function tenancy.keep_within_new_plan();
create trigger record_change after insert or delete or update on tenancy.subscriptions
for each row execute function operations.record_change();
create trigger record_event after update on tenancy.subscriptions
for each row execute function messaging.record_event('subscription', 'viewer', '{}');


-- What an organization has used, by day.
create table tenancy.usage_days (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The day, in the time zone of the organization.
    day date not null,
    -- Number of requests answered. Counted by each server and added every few seconds.
    requests bigint not null,
    -- Number of e-mails sent for the organization.
    emails bigint not null default 0,
    -- Number of e-mails that were given up or came back.
    emails_failed bigint not null default 0,
    -- Number of text messages sent for the organization.
    sms bigint not null default 0,
    -- Number of appointments booked on this day, with those that were cancelled later; null: the day is not closed.
    appointments bigint,
    -- Size of all files when the day was closed, in bytes; null: the day is not closed.
    storage_bytes bigint,
    -- When the day began: when the one before ended. Null: the day is not closed.
    starts_at timestamptz,
    -- When the day ended, by the time zone of then. Null: the day is not closed.
    ends_at timestamptz,
    -- When the worker closed the day; the row never changes after this. Null: the day has not ended.
    closed_at timestamptz,
    constraint usage_days_pkey primary key (tenant_id, day),
    constraint usage_days_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint usage_days_closed check (
        (closed_at is null) = (appointments is null)
        and (closed_at is null) = (storage_bytes is null)
        and (closed_at is null) = (starts_at is null)
        and (closed_at is null) = (ends_at is null)
        and starts_at <= ends_at
    ),
    constraint usage_days_counted check (requests >= 0 and emails >= 0 and emails_failed >= 0 and sms >= 0)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

alter table tenancy.usage_days enable row level security, force row level security;

create policy tenant_floor on tenancy.usage_days as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_select on tenancy.usage_days as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_insert on tenancy.usage_days as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on tenancy.usage_days as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on tenancy.usage_days as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on tenancy.usage_days as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_select on tenancy.usage_days as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select on tenancy.usage_days to appointd_api;
grant select, insert on tenancy.usage_days to appointd_gate;
grant update (
    requests, emails, emails_failed, sms, appointments, storage_bytes, starts_at, ends_at, closed_at
) on tenancy.usage_days to appointd_gate;
grant select (tenant_id, day, emails_failed) on tenancy.usage_days to appointd_worker;


-- Which organization a host name leads to. Public, like the DNS record that proves it. An organization sees and deletes
-- its own rows. A row is deleted when the record has been missing for a week, and moves when the present holder of the
-- DNS proves the domain for another organization.
create table tenancy.verified_domains (
    -- The domain name, as in tenancy.domains.
    domain text not null,
    -- The organization that proved it.
    organization_id uuid not null default app.tenant(),
    -- When the DNS record was last looked up. Servers look it up once a day.
    checked_at timestamptz not null default now(),
    -- Since when the record has been missing; null: it was found at the last look-up.
    missing_since timestamptz,
    constraint verified_domains_pkey primary key (domain),
    constraint verified_domains_organization_fkey foreign key (organization_id) references tenancy.organizations(id)
);

create index verified_domains_checked_idx on tenancy.verified_domains using btree (checked_at);
create index verified_domains_organization_idx on tenancy.verified_domains using btree (organization_id);

alter table tenancy.verified_domains enable row level security, force row level security;

create policy gate_all on tenancy.verified_domains as permissive for all to appointd_gate
    using (true)
    with check (true);
create policy own_select on tenancy.verified_domains as permissive for select to appointd_api
    using (organization_id = (select app.tenant()));
create policy owner_all on tenancy.verified_domains as permissive for all to appointd_owner
    using (organization_id = (select app.tenant()))
    with check (organization_id = (select app.tenant()));
create policy owner_delete on tenancy.verified_domains as permissive for delete to appointd_api
    using (organization_id = (select app.tenant()) and (select app.role() = any ('{owner}')));

grant select, delete on tenancy.verified_domains to appointd_api;
grant select, delete on tenancy.verified_domains to appointd_gate;
grant insert (domain) on tenancy.verified_domains to appointd_gate;
grant update (organization_id, checked_at, missing_since) on tenancy.verified_domains to appointd_gate;


-- Makes an account a member, by the token of an invitation, which is used up: `joined` (an existing member keeps their
-- role), or `unknown` if it is not valid or its giver may no longer give the role. With a password hash the account is
-- created. Fails with 23514 on invitation_address (the account has another e-mail address), exclusive_members,
-- contact_account (the contact has another account) or plan_limit_members, and with 23505 on accounts_email_key.
create function tenancy.accept_invitation(
    organization_id uuid, invitation_id uuid, token_hash bytea, joining_account uuid, full_name text, password_hash text
)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    invitation tenancy.invitations;
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return 'unknown';
    end if;
    perform app.set_tenant(organization_id);
    perform app.set_account(joining_account);
    -- Deleted first: of two that accept at the same time, one finds it.
    delete from tenancy.invitations as i
    where
        i.tenant_id = organization_id
        and i.id = invitation_id
        and i.token_hash = accept_invitation.token_hash
        and i.expires_at > now()
        and tenancy.may_give(tenancy.standing(i.created_by), i.role)
        and exists (select from tenancy.organizations as o where o.id = i.tenant_id and o.status = 'active')
    returning i.* into invitation;
    if invitation.id is null then
        return 'unknown';
    end if;
    if password_hash is not null then
        -- The address is verified: the token was sent there.
        insert into identity.accounts (id, email, password_hash, full_name, email_verified_at)
        values (joining_account, invitation.email, password_hash, full_name, now());
    elsif not exists (
        select from identity.accounts as a where a.id = joining_account and a.email = invitation.email
    ) then
        raise exception 'for another account' using errcode = 'check_violation', constraint = 'invitation_address';
    end if;
    if tenancy.bound_elsewhere(joining_account, organization_id, invitation.role) then
        raise exception 'bound elsewhere' using errcode = 'check_violation', constraint = 'exclusive_members';
    end if;
    if invitation.contact_id is not null then
        update crm.contacts as c
        set account_id = joining_account, updated_at = now()
        where
            c.tenant_id = organization_id
            and c.id = invitation.contact_id
            and (c.account_id is null or c.account_id = joining_account);
        if not found then
            raise exception 'the contact has another account'
                using errcode = 'check_violation', constraint = 'contact_account';
        end if;
    end if;
    -- A member who is invited as a customer keeps their role.
    insert into tenancy.members (account_id, role)
    values (joining_account, invitation.role)
    on conflict (tenant_id, account_id) do update
    set role = excluded.role, status = 'active', updated_at = now()
    where members.role = 'customer' and excluded.role <> 'customer';
    return 'joined';
end
$$;

alter function tenancy.accept_invitation(uuid,uuid,bytea,uuid,text,text) owner to appointd_gate;
grant execute on function tenancy.accept_invitation(uuid,uuid,bytea,uuid,text,text) to appointd_door;


-- The ids of active organizations after the given one, in their order; at most so many. For the worker, which adds jobs
-- to each.
create function tenancy.active_organizations(after_tenant uuid, most integer)
returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select o.id
    from tenancy.organizations as o
    where
        o.id > coalesce(after_tenant, '00000000-0000-0000-0000-000000000000')
        and o.status = 'active'
    order by o.id
    limit coalesce(most, 0);
end
$$;

alter function tenancy.active_organizations(uuid,integer) owner to appointd_gate;
grant execute on function tenancy.active_organizations(uuid,integer) to appointd_worker;


-- Adds what a server has counted to today's requests of each organization.
create function tenancy.add_requests(organizations uuid[], requests bigint[])
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    counted record;
begin
    perform app.stay_outside();
    for counted in
        -- In order, so that two servers that add at the same time wait and do not deadlock.
        select u.organization_id, u.amount
        from unnest(organizations, requests) as u (organization_id, amount)
        where exists (select from tenancy.organizations as o where o.id = u.organization_id)
        order by u.organization_id
    loop
        perform app.set_tenant(counted.organization_id);
        insert into tenancy.usage_days as d (day, requests)
        values (tenancy.usage_day(), counted.amount)
        on conflict (tenant_id, day) do update set requests = d.requests + excluded.requests;
    end loop;
end
$$;

alter function tenancy.add_requests(uuid[],bigint[]) owner to appointd_gate;
grant execute on function tenancy.add_requests(uuid[],bigint[]) to appointd_door;


-- requests_per_minute of the present plan of an organization. For an API key (key_id and secret_hash) null if the
-- organization does not have the key, so that an invented key counts for no organization.
create function tenancy.allowance(organization_id uuid, key_id uuid, secret_hash bytea)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    allowed integer;
begin
    perform app.stay_outside();
    perform app.set_tenant(organization_id);
    select p.requests_per_minute into allowed
    from tenancy.subscriptions as s
    join tenancy.plans as p on p.plan_type = s.plan_type
    where
        s.tenant_id = organization_id
        and (
            key_id is null
            or exists (
                select
                from tenancy.api_keys as k
                where
                    k.tenant_id = organization_id
                    and k.id = key_id
                    and k.secret_hash = allowance.secret_hash
                    and k.revoked_at is null
            )
        );
    perform app.set_tenant(null);
    return allowed;
end
$$;

alter function tenancy.allowance(uuid,uuid,bytea) owner to appointd_gate;
grant execute on function tenancy.allowance(uuid,uuid,bytea) to appointd_door;


-- Whether exclusive_members of an organization that the account belongs to, or of the one it is about to join, forbids
-- joining. Leaves the account in the context.
create function tenancy.bound_elsewhere(account_id uuid, joining uuid, role text)
returns boolean
language plpgsql
as $$
declare
    kept constant uuid := app.tenant();
    membership record;
    bound boolean := false;
    joining_is_exclusive boolean;
    exclusive boolean;
begin
    if role = 'customer' then
        return false;
    end if;
    -- Concurrent joins of one account wait for each other here, so that the second counts the first.
    perform from identity.accounts as a where a.id = account_id for no key update;
    perform app.set_account(account_id);
    perform app.set_tenant(joining);
    select s.exclusive_members into joining_is_exclusive from tenancy.settings as s where s.tenant_id = joining;
    for membership in
        select m.tenant_id, m.role
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where
            m.account_id = bound_elsewhere.account_id
            and m.tenant_id <> joining
            and m.role <> 'customer'
            -- A membership that cannot be entered does not bind.
            and m.status = 'active'
            and o.status = 'active'
    loop
        perform app.set_tenant(membership.tenant_id);
        select s.exclusive_members into exclusive from tenancy.settings as s where s.tenant_id = membership.tenant_id;
        bound :=
            bound
            or (exclusive and membership.role <> 'owner')
            -- An organization that is being created has no settings yet.
            or (coalesce(joining_is_exclusive, false) and role <> 'owner');
    end loop;
    perform app.set_tenant(kept);
    return bound;
end
$$;

alter function tenancy.bound_elsewhere(uuid,uuid,text) owner to appointd_gate;


-- Gives a domain to the organization in the context, on behalf of its owner, if one of the texts found in the DNS is
-- its challenge: `verified`; `not_verified`; `unknown`; or `taken` if the challenge of the organization that has it is
-- found as well, and that organization is not deleted and has the feature custom_branding.
create function tenancy.claim_domain(domain_id uuid, texts text[])
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    actor constant uuid := app.account();
    wanted record;
    holder uuid;
    kept boolean;
begin
    if app.role() is distinct from 'owner' then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    select d.domain, d.challenge into wanted
    from tenancy.domains as d
    where d.tenant_id = tenant and d.id = domain_id;
    if wanted.domain is null then
        return 'unknown';
    end if;
    -- Null, if nothing was found, is no proof.
    if (wanted.challenge = any (texts)) is not true then
        return 'not_verified';
    end if;
    insert into tenancy.verified_domains (domain)
    values (wanted.domain)
    on conflict on constraint verified_domains_pkey do nothing;
    select v.organization_id into holder
    from tenancy.verified_domains as v
    where v.domain = wanted.domain
    for update;
    if holder is null then
        -- Deleted by a concurrent transaction.
        return 'not_verified';
    end if;
    if holder <> tenant then
        -- The present holder keeps the domain while its record is in the DNS as well, and while it may use it.
        perform app.set_tenant(holder);
        perform app.set_account(null);
        kept := app.has_feature(holder, 'custom_branding')
            and exists (select from tenancy.organizations as o where o.id = holder and o.status <> 'deleted')
            and exists (
                select from tenancy.domains as d
                where d.tenant_id = holder and d.domain = wanted.domain and d.challenge = any (texts)
            );
        if not kept then
            -- Logged as a change by the system: the holder must not learn who has the domain now.
            update tenancy.domains as d set verified_at = null where d.tenant_id = holder and d.domain = wanted.domain;
        end if;
        perform app.set_tenant(tenant);
        perform app.set_account(actor);
        if kept then
            return 'taken';
        end if;
    end if;
    update tenancy.verified_domains as v
    set organization_id = tenant, checked_at = now(), missing_since = null
    where v.domain = wanted.domain;
    update tenancy.domains as d set verified_at = now() where d.tenant_id = tenant and d.id = domain_id;
    return 'verified';
end
$$;

alter function tenancy.claim_domain(uuid,text[]) owner to appointd_gate;
grant execute on function tenancy.claim_domain(uuid,text[]) to appointd_api;


-- Closes the days of the organization in the context that have ended, and returns how many. A day is closed once: a
-- second call changes nothing.
create function tenancy.close_days()
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    place record;
    next_day date;
    began timestamptz;
    ended timestamptz;
    closed integer := 0;
begin
    -- What began before midnight is committed five minutes later.
    select o.time_zone, o.created_at, ((now() - interval '5 minutes') at time zone o.time_zone)::date as today
    into strict place
    from tenancy.organizations as o
    where o.id = tenant;
    select d.day + 1, d.ends_at
    into next_day, began
    from tenancy.usage_days as d
    where d.tenant_id = tenant and d.closed_at is not null
    order by d.day desc
    limit 1;
    if next_day is null then
        next_day := greatest((place.created_at at time zone place.time_zone)::date, place.today - 31);
        began := greatest(place.created_at, next_day::timestamp at time zone place.time_zone);
    end if;
    while next_day < place.today and closed < 400 loop
        -- An organization whose time zone moves east has a short day, which may be empty.
        ended := greatest(began, (next_day + 1)::timestamp at time zone place.time_zone);
        insert into tenancy.usage_days as d (
            day, requests, appointments, storage_bytes, starts_at, ends_at, closed_at
        )
        values (
            next_day, 0,
            (
                -- By the index of updated_at: what was booked since then has changed since then.
                select count(*)
                from scheduling.appointments as a
                where
                    a.tenant_id = tenant
                    and a.updated_at >= began
                    and a.created_at >= began
                    and a.created_at < ended
            ),
            -- The server does not store files yet.
            0, began, ended, now()
        )
        on conflict (tenant_id, day) do update
        set
            appointments = excluded.appointments, storage_bytes = excluded.storage_bytes,
            starts_at = excluded.starts_at, ends_at = excluded.ends_at, closed_at = excluded.closed_at
        -- Another worker was faster.
        where d.closed_at is null;
        exit when not found;
        closed := closed + 1;
        next_day := next_day + 1;
        began := ended;
    end loop;
    return closed;
end
$$;

alter function tenancy.close_days() owner to appointd_gate;
grant execute on function tenancy.close_days() to appointd_worker;


-- Counts a message (channel: email or sms) that was sent for an organization, or that failed after it was counted as
-- sent, to the present day of its usage.
create function tenancy.count_message(tenant uuid, channel text, failed boolean)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    if app.role() is not null and tenant is distinct from entered then
        raise exception 'this transaction has entered another tenant'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if (channel in ('email', 'sms')) is not true then
        raise exception 'unknown channel' using errcode = 'invalid_parameter_value';
    end if;
    perform app.set_tenant(tenant);
    insert into tenancy.usage_days as d (day, requests, emails, emails_failed, sms)
    select
        tenancy.usage_day(), 0, (channel = 'email' and not failed)::integer, (channel = 'email' and failed)::integer,
        (channel = 'sms' and not failed)::integer
    from tenancy.organizations as o
    where o.id = tenant
    on conflict (tenant_id, day) do update
    set
        emails = d.emails + excluded.emails,
        emails_failed = d.emails_failed + excluded.emails_failed,
        sms = d.sms + excluded.sms;
    perform app.set_tenant(entered);
end
$$;

alter function tenancy.count_message(uuid,text,boolean) owner to appointd_gate;
grant execute on function tenancy.count_message(uuid,text,boolean) to appointd_api;
grant execute on function tenancy.count_message(uuid,text,boolean) to appointd_worker;


-- Number of rows that a plan limits: providers, members or api_keys, in the tenant in the context.
create function tenancy.counted(tenant uuid, what text)
returns bigint
language plpgsql stable
as $$
begin
    return case what
        when 'providers' then (select count(*) from scheduling.providers as p where p.tenant_id = tenant and p.active)
        when 'members' then
            (
                select count(*)
                from tenancy.members as m
                where m.tenant_id = tenant and m.status = 'active' and m.role <> 'customer'
            )
            + (
                select count(*)
                from tenancy.invitations as i
                where i.tenant_id = tenant and i.role <> 'customer' and i.expires_at > now()
            )
        when 'api_keys' then
            (
                select count(*)
                from tenancy.api_keys as k
                where k.tenant_id = tenant and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
            )
    end;
end
$$;

grant execute on function tenancy.counted(uuid,text) to appointd_api;
grant execute on function tenancy.counted(uuid,text) to appointd_gate;


-- Creates an organization of the account in the context (see app.enter_account): `created`, or `bound_elsewhere` if an
-- organization that it works for has exclusive members. Fails with 23505 on organizations_slug_key or
-- organizations_subdomain_key.
create function tenancy.create_organization(
    organization_id uuid, name text, slug text, subdomain text, time_zone text, plan_type text, disabled_features text[]
)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    founder constant uuid := app.account();
begin
    perform app.stay_outside();
    if founder is null then
        raise exception 'no account has signed in' using errcode = 'AP401';
    end if;
    if tenancy.bound_elsewhere(founder, organization_id, 'owner') then
        return 'bound_elsewhere';
    end if;
    perform tenancy.found_organization(
        organization_id, founder, name, slug, subdomain, time_zone, plan_type, disabled_features, false
    );
    return 'created';
end
$$;

alter function tenancy.create_organization(uuid,text,text,text,text,text,text[]) owner to appointd_gate;
grant execute on function tenancy.create_organization(uuid,text,text,text,text,text,text[]) to appointd_api;


-- Deletes the organization in the context; the caller must be one of its owners. It can no longer be entered, and after
-- the grace period its rows may be purged.
create function tenancy.delete_organization(grace interval)
returns timestamptz
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    until timestamptz;
begin
    if app.role() is distinct from 'owner' then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    update tenancy.organizations as o
    set status = 'deleted', deleted_at = now(), purge_after = now() + grace
    where o.id = app.tenant()
    returning o.purge_after into until;
    return until;
end
$$;

alter function tenancy.delete_organization(interval) owner to appointd_gate;
grant execute on function tenancy.delete_organization(interval) to appointd_api;


-- Verified domains whose record was not looked up since yesterday, and its required content. Each is returned to one
-- server and is due again a day later.
create function tenancy.domains_due(most integer)
returns table(domain text, organization_id uuid, challenge text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    due record;
begin
    perform app.stay_outside();
    for due in
        update tenancy.verified_domains as v
        set checked_at = now()
        where v.domain in (
            select c.domain
            from tenancy.verified_domains as c
            where c.checked_at < now() - interval '1 day'
            order by c.checked_at
            limit most
            -- Another server looks those up.
            for update skip locked
        )
        returning v.domain, v.organization_id
    loop
        perform app.set_tenant(due.organization_id);
        return query
        select due.domain, due.organization_id, d.challenge
        from tenancy.domains as d
        where d.tenant_id = due.organization_id and d.domain = due.domain;
    end loop;
    perform app.set_tenant(null);
end
$$;

alter function tenancy.domains_due(integer) owner to appointd_gate;
grant execute on function tenancy.domains_due(integer) to appointd_worker;


-- Ends what an account handed out in an organization: revokes its API keys; deletes its invitations and calendar feeds,
-- and disables its webhook endpoints, with those of its keys.
create function tenancy.end_handed_out(tenant uuid, giver uuid)
returns void
language plpgsql
as $$
declare
    entered constant uuid := app.tenant();
begin
    perform app.set_tenant(tenant);
    -- Deletes the invitations of the keys as well: tenancy.end_handed_out_by_key.
    update tenancy.api_keys as k
    set revoked_at = now()
    where k.tenant_id = tenant and k.created_by = giver and k.revoked_at is null;
    delete from tenancy.invitations as i where i.tenant_id = tenant and i.created_by = giver;
    delete from scheduling.calendar_feeds as f where f.tenant_id = tenant and f.created_by = giver;
    perform messaging.end_endpoints(tenant, giver);
    perform app.set_tenant(entered);
end
$$;

alter function tenancy.end_handed_out(uuid,uuid) owner to appointd_gate;


-- Trigger, after an API key was revoked: deletes the invitations and calendar feeds it made, and disables its webhook
-- endpoints.
create function tenancy.end_handed_out_by_key()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    perform app.set_tenant(new.tenant_id);
    delete from tenancy.invitations as i where i.tenant_id = new.tenant_id and i.created_by = new.id;
    delete from scheduling.calendar_feeds as f where f.tenant_id = new.tenant_id and f.created_by = new.id;
    perform messaging.end_endpoints(new.tenant_id, new.id);
    perform app.set_tenant(entered);
    return null;
end
$$;

alter function tenancy.end_handed_out_by_key() owner to appointd_gate;
grant execute on function tenancy.end_handed_out_by_key() to appointd_owner;


-- For how many days the plan of the organization in the context keeps events.
create function tenancy.event_days()
returns integer
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select p.event_days
        from tenancy.subscriptions as s
        join tenancy.plans as p on p.plan_type = s.plan_type
        where s.tenant_id = app.tenant()
    );
end
$$;

alter function tenancy.event_days() owner to appointd_gate;
grant execute on function tenancy.event_days() to appointd_worker;


-- The organization that had a slug or a subdomain within the last 90 days.
create function tenancy.formerly(kind text, name text)
returns uuid
language plpgsql stable
as $$
begin
    return (
        select f.organization_id
        from tenancy.former_names as f
        where f.kind = formerly.kind and f.name = formerly.name and f.kept_until > now()
    );
end
$$;

alter function tenancy.formerly(text,text) owner to appointd_gate;


-- Creates an organization with the rows that every organization has, and its first owner. Part of registering and of
-- creating an organization.
create function tenancy.found_organization(
    organization_id uuid, founder uuid, name text, slug text, subdomain text, time_zone text, plan_type text,
    disabled_features text[], exclusive_members boolean
)
returns void
language plpgsql
as $$
begin
    perform app.set_tenant(organization_id);
    insert into tenancy.organizations (id, name, slug, subdomain, time_zone)
    values (organization_id, name, slug, subdomain, time_zone);
    insert into tenancy.subscriptions (plan_type, disabled_features) values (plan_type, disabled_features);
    insert into tenancy.settings (exclusive_members) values (exclusive_members);
    insert into tenancy.branding (display_name) values (null);
    insert into tenancy.members (account_id, role) values (founder, 'owner');
end
$$;

alter function tenancy.found_organization(uuid,uuid,text,text,text,text,text,text[],boolean) owner to appointd_gate;


-- Whether an organization is served at the host of the request (app.host): at the server's own and at those of the
-- organization. Call it before a tenant is in the context.
create function tenancy.host_admits(organization uuid)
returns boolean
language plpgsql
as $$
declare
    host constant text := nullif(current_setting('app.host', true), '');
begin
    return host is null or organization is null or tenancy.organization_at(host) is not distinct from organization;
end
$$;

alter function tenancy.host_admits(uuid) owner to appointd_gate;


-- What an invitation offers to the holder of its token: one row, all null if it is not valid or its giver may no longer
-- give the role. account_id: the account of the invited address, if any.
create function tenancy.invitation_for(
    organization_id uuid, invitation_id uuid, token_hash bytea, out email text, out role text,
    out organization_name text, out account_id uuid
)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return;
    end if;
    perform app.set_tenant(organization_id);
    select i.email, i.role, o.name, a.id
    into email, role, organization_name, account_id
    from tenancy.invitations as i
    join tenancy.organizations as o on o.id = i.tenant_id
    left join identity.accounts as a on a.email = i.email
    where
        i.tenant_id = organization_id
        and i.id = invitation_id
        and i.token_hash = invitation_for.token_hash
        and i.expires_at > now()
        and tenancy.may_give(tenancy.standing(i.created_by), i.role)
        and o.status = 'active';
end
$$;

alter function tenancy.invitation_for(uuid,uuid,bytea) owner to appointd_gate;
grant execute on function tenancy.invitation_for(uuid,uuid,bytea) to appointd_door;


-- Trigger, after an owner was removed, demoted or suspended: fails if the organization has no active owner left.
create function tenancy.keep_an_owner()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Two owners who leave at the same time wait for each other here; the second sees that the first has left.
    perform from tenancy.subscriptions as s where s.tenant_id = old.tenant_id for no key update;
    if not exists (
        select
        from tenancy.members as m
        where m.tenant_id = old.tenant_id and m.role = 'owner' and m.status = 'active'
    )
    and exists (select from tenancy.organizations as o where o.id = old.tenant_id and o.status <> 'deleted') then
        raise exception 'an organization has an active owner'
            using errcode = 'check_violation', constraint = 'members_last_owner';
    end if;
    return null;
end
$$;

alter function tenancy.keep_an_owner() owner to appointd_gate;


-- Trigger, after a member was removed or demoted: ends what they handed out, or lowers it to what they may give now.
create function tenancy.keep_handed_out_below()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    if tg_op = 'DELETE' or new.role = 'customer' then
        perform tenancy.end_handed_out(old.tenant_id, old.account_id);
        return null;
    end if;
    perform app.set_tenant(new.tenant_id);
    update tenancy.api_keys as k
    set role = new.role
    where
        k.tenant_id = new.tenant_id
        and k.created_by = new.account_id
        and k.revoked_at is null
        and not k.role = any (app.roles_up_to(new.role));
    delete from tenancy.invitations as i
    where
        i.tenant_id = new.tenant_id
        and i.created_by = new.account_id
        and not tenancy.may_give(new.role, i.role);
    delete from tenancy.invitations as i
    using tenancy.api_keys as k
    where
        i.tenant_id = new.tenant_id
        and k.tenant_id = new.tenant_id
        and k.created_by = new.account_id
        and i.created_by = k.id
        and not tenancy.may_give(k.role, i.role);
    -- Admins may make endpoints; no key has a higher role than its maker.
    if not new.role = any (app.roles_from('admin')) then
        perform messaging.end_endpoints(new.tenant_id, new.account_id);
        perform messaging.end_endpoints(new.tenant_id, k.id)
        from tenancy.api_keys as k
        where k.tenant_id = new.tenant_id and k.created_by = new.account_id and k.revoked_at is null;
    end if;
    perform app.set_tenant(entered);
    return null;
end
$$;

alter function tenancy.keep_handed_out_below() owner to appointd_gate;
grant execute on function tenancy.keep_handed_out_below() to appointd_owner;


-- Trigger, after an organization got or changed its slug or subdomain: keeps the old name for it, and refuses a name
-- that is kept for another organization, as the unique key would.
create function tenancy.keep_names()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    changed record;
begin
    for changed in
        select c.kind, c.was, c.is_now, c.key
        from (
            values
                ('slug', case when tg_op = 'UPDATE' then old.slug end, new.slug, 'organizations_slug_key'),
                (
                    'subdomain', case when tg_op = 'UPDATE' then old.subdomain end, new.subdomain,
                    'organizations_subdomain_key'
                )
        ) as c (kind, was, is_now, key)
        where c.was is distinct from c.is_now
    loop
        if exists (
            select
            from tenancy.former_names as f
            where
                f.kind = changed.kind
                and f.name = changed.is_now
                and f.organization_id <> new.id
                and f.kept_until > now()
        ) then
            raise exception 'a name another organization gave up a while ago'
                using errcode = 'unique_violation', constraint = changed.key;
        end if;
        delete from tenancy.former_names as f where f.kind = changed.kind and f.name = changed.is_now;
        if changed.was is not null then
            insert into tenancy.former_names as f (kind, name, organization_id)
            values (changed.kind, changed.was, new.id)
            on conflict on constraint former_names_pkey do update
            set organization_id = excluded.organization_id, kept_until = excluded.kept_until;
        end if;
    end loop;
    return null;
end
$$;

alter function tenancy.keep_names() owner to appointd_gate;
grant execute on function tenancy.keep_names() to appointd_owner;


-- Trigger, after a change of plan: fails if the existing rows exceed the new plan.
create function tenancy.keep_within_new_plan()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    too_many text;
begin
    select case
        when p.max_providers < tenancy.counted(new.tenant_id, 'providers') then 'providers'
        when p.max_members < tenancy.counted(new.tenant_id, 'members') then 'members'
        -- On a plan without API keys they are kept and are not valid.
        when
            p.max_api_keys < tenancy.counted(new.tenant_id, 'api_keys')
            and exists (
                select from tenancy.plan_features as f where f.plan_type = p.plan_type and f.feature = 'api_access'
            )
            then 'api_keys'
    end
    into too_many
    from tenancy.plans as p
    where p.plan_type = new.plan_type;
    if too_many is not null then
        raise exception 'more % than the plan allows', too_many
            using errcode = 'check_violation', constraint = 'plan_limit_' || too_many;
    end if;
    return null;
end
$$;

alter function tenancy.keep_within_new_plan() owner to appointd_gate;


-- Trigger, after insert or update of a row that counts towards a limit of the plan: fails if the limit is exceeded.
create function tenancy.keep_within_plan()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    counted constant text := tg_argv[0];
    allowed integer;
    present bigint;
begin
    -- Concurrent changes wait for each other here, so that each counts the rows of the previous one.
    perform from tenancy.subscriptions as s where s.tenant_id = new.tenant_id for no key update;
    select case counted
        when 'providers' then p.max_providers
        when 'members' then p.max_members
        when 'api_keys' then p.max_api_keys
    end
    into allowed
    from tenancy.subscriptions as s
    join tenancy.plans as p on p.plan_type = s.plan_type
    where s.tenant_id = new.tenant_id;

    if allowed is null then
        return null;
    end if;
    present := tenancy.counted(new.tenant_id, counted);
    if present > allowed then
        raise exception 'the plan allows % %', allowed, counted
            using errcode = 'check_violation', constraint = 'plan_limit_' || counted;
    end if;
    return null;
end
$$;

alter function tenancy.keep_within_plan() owner to appointd_gate;
grant execute on function tenancy.keep_within_plan() to appointd_owner;


-- Ends the membership of the account in the context, in any role; false if it has none. Fails with 23514 on
-- members_last_owner.
create function tenancy.leave_organization(organization_id uuid)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    perform app.set_tenant(organization_id);
    delete from tenancy.members as m
    where m.tenant_id = organization_id and m.account_id = app.account();
    return found;
end
$$;

alter function tenancy.leave_organization(uuid) owner to appointd_gate;
grant execute on function tenancy.leave_organization(uuid) to appointd_api;


-- All organizations, for the operator.
create function tenancy.list_organizations()
returns table(id uuid, slug text, name text, status text, created_at timestamptz, purge_after timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.id, o.slug, o.name, o.status, o.created_at, o.purge_after
    from tenancy.organizations as o
    order by o.slug;
end
$$;

alter function tenancy.list_organizations() owner to appointd_gate;
grant execute on function tenancy.list_organizations() to appointd_owner;


-- Whether a member with one role may invite a person to another: staff invite customers; admins and owners invite
-- members up to their own role.
create function tenancy.may_give(giver_role text, given_role text)
returns boolean
language plpgsql stable
as $$
begin
    return coalesce(
        given_role = any (app.roles_up_to(giver_role))
        and giver_role = any (app.roles_from(case when given_role = 'customer' then 'staff' else 'admin' end)),
        false
    );
end
$$;

alter function tenancy.may_give(text,text) owner to appointd_gate;


-- The verified e-mail addresses of the active members with one of these roles in the organization that the worker has
-- entered, at most 20, and its name: for what only they are told.
create function tenancy.member_addresses(roles text[])
returns table(email text, organization text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select a.email, o.name
    from tenancy.members as m
    join tenancy.organizations as o on o.id = m.tenant_id
    join identity.accounts as a on a.id = m.account_id
    where
        m.tenant_id = (select app.tenant())
        and m.role = any (roles)
        and m.status = 'active'
        and a.email_verified_at is not null
    order by m.account_id
    limit 20;
end
$$;

alter function tenancy.member_addresses(text[]) owner to appointd_gate;
grant execute on function tenancy.member_addresses(text[]) to appointd_worker;


-- What the organization in the context has nine tenths or more of, of what its plan allows: providers, members,
-- api_keys. For its admins and the worker; for others nothing.
create function tenancy.near_limits()
returns table(what text, used bigint, most integer)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    if not coalesce(app.role() in ('admin', 'owner', 'worker'), false) then
        return;
    end if;
    return query
    select l.what, l.used, l.most
    from tenancy.subscriptions as s
    join tenancy.plans as p on p.plan_type = s.plan_type
    cross join lateral (
        values
            ('providers', tenancy.counted(tenant, 'providers'), p.max_providers),
            ('members', tenancy.counted(tenant, 'members'), p.max_members),
            ('api_keys', tenancy.counted(tenant, 'api_keys'), p.max_api_keys)
    ) as l (what, used, most)
    where s.tenant_id = tenant and l.most > 0 and l.used * 10 >= l.most * 9;
end
$$;

alter function tenancy.near_limits() owner to appointd_gate;
grant execute on function tenancy.near_limits() to appointd_api;
grant execute on function tenancy.near_limits() to appointd_worker;


-- Stores whether the record of a verified domain was found. Missing for a week, the domain is deleted: true.
create function tenancy.note_domain(domain text, organization_id uuid, seen boolean)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    lapsed boolean;
    changed boolean;
begin
    perform app.stay_outside();
    update tenancy.verified_domains as v
    set missing_since = case when seen then null else coalesce(v.missing_since, now()) end
    from tenancy.verified_domains as before
    where
        v.domain = note_domain.domain
        and v.organization_id = note_domain.organization_id
        and before.domain = v.domain
    returning v.missing_since <= now() - interval '7 days', v.missing_since is distinct from before.missing_since
    into lapsed, changed;
    if changed or lapsed then
        perform app.set_tenant(organization_id);
        if lapsed then
            delete from tenancy.verified_domains as v
            where v.domain = note_domain.domain and v.organization_id = note_domain.organization_id;
        end if;
        update tenancy.domains as d
        set verified_at = case when lapsed then null else d.verified_at end, updated_at = now()
        where d.tenant_id = note_domain.organization_id and d.domain = note_domain.domain;
        perform app.set_tenant(null);
    end if;
    return coalesce(lapsed, false);
end
$$;

alter function tenancy.note_domain(text,uuid,boolean) owner to appointd_gate;
grant execute on function tenancy.note_domain(text,uuid,boolean) to appointd_worker;


-- The active organization that a host name leads to: a verified domain, or a name without a dot, which is a subdomain
-- of the server. Null: none.
create function tenancy.organization_at(host text)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found_id uuid;
begin
    perform app.stay_outside();
    if position('.' in host) = 0 then
        return coalesce(
            (select o.id from tenancy.organizations as o where o.subdomain = host and o.status = 'active'),
            (
                select o.id
                from tenancy.organizations as o
                where o.id = tenancy.formerly('subdomain', host) and o.status = 'active'
            )
        );
    end if;
    select d.organization_id into found_id
    from tenancy.verified_domains as d
    join tenancy.organizations as o on o.id = d.organization_id
    where d.domain = host and o.status = 'active';
    if found_id is null then
        return null;
    end if;
    -- Only some plans include a domain of one's own.
    perform app.set_tenant(found_id);
    if not app.has_feature(found_id, 'custom_branding') then
        found_id := null;
    end if;
    -- The organization was found, not entered.
    perform app.set_tenant(null);
    return found_id;
end
$$;

alter function tenancy.organization_at(text) owner to appointd_gate;
grant execute on function tenancy.organization_at(text) to appointd_api;


-- The active organizations whose day began so long ago, and not as long as `during` more. For the worker, which does
-- once a day what belongs to the day of an organization.
create function tenancy.organizations_in_day(since interval, during interval)
returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select o.id
    from tenancy.organizations as o
    where
        o.status = 'active'
        and now() >= (now() at time zone o.time_zone)::date::timestamp at time zone o.time_zone + since
        and now() < (now() at time zone o.time_zone)::date::timestamp at time zone o.time_zone + since + during
    order by o.id;
end
$$;

alter function tenancy.organizations_in_day(interval,interval) owner to appointd_gate;
grant execute on function tenancy.organizations_in_day(interval,interval) to appointd_worker;


-- Public data of an active organization, found by host or else by slug (if both are given they have to agree): one row,
-- all null if none is found.
create function tenancy.public_face(
    host text, slug text, out id uuid, out name text, out organization_slug text, out time_zone text, out language text,
    out date_format text, out time_format text, out logo_url text, out favicon_url text, out primary_color text,
    out secondary_color text, out style_sheet_url text
)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    by_slug constant uuid := coalesce(
        (select o.id from tenancy.organizations as o where o.slug = public_face.slug),
        tenancy.formerly('slug', public_face.slug)
    );
    wanted constant uuid := case when host is not null then tenancy.organization_at(host) else by_slug end;
begin
    perform app.stay_outside();
    perform app.set_tenant(wanted);
    select o.id, coalesce(b.display_name, o.name), o.slug, o.time_zone, s.language, s.date_format, s.time_format
    into id, name, organization_slug, time_zone, language, date_format, time_format
    from tenancy.organizations as o
    join tenancy.settings as s on s.tenant_id = o.id
    join tenancy.branding as b on b.tenant_id = o.id
    where o.id = wanted and o.status = 'active' and (public_face.slug is null or o.id = by_slug);
    if id is not null then
        select b.logo_url into logo_url from tenancy.branding as b where b.tenant_id = wanted;
    end if;
    if id is not null and app.has_feature(wanted, 'custom_branding') then
        select b.favicon_url, b.primary_color, b.secondary_color, b.style_sheet_url
        into favicon_url, primary_color, secondary_color, style_sheet_url
        from tenancy.branding as b
        where b.tenant_id = wanted;
    end if;
end
$$;

alter function tenancy.public_face(text,text) owner to appointd_gate;
grant execute on function tenancy.public_face(text,text) to appointd_api;


-- Takes back the deletion of an organization of which the account in the context is an owner; false if it is not
-- deleted or may be purged already.
create function tenancy.restore_organization(organization_id uuid)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    if not exists (
        select
        from tenancy.members as m
        where
            m.tenant_id = organization_id
            and m.account_id = app.account()
            and m.role = 'owner'
            and m.status = 'active'
    ) then
        return false;
    end if;
    perform app.set_tenant(organization_id);
    update tenancy.organizations as o
    set status = 'active', deleted_at = null, purge_after = null
    where o.id = organization_id and o.status = 'deleted' and o.purge_after > now();
    return found;
end
$$;

alter function tenancy.restore_organization(uuid) owner to appointd_gate;
grant execute on function tenancy.restore_organization(uuid) to appointd_door;


-- Trigger, before an invitation gets another token: the actor becomes its giver.
create function tenancy.sender_is_giver()
returns trigger
language plpgsql
as $$
begin
    new.created_by := coalesce(
        app.account(),
        app.api_key(),
        old.created_by
    );
    return new;
end
$$;


-- The present role of an account or an API key in the organization in the context; null: no active member (customers do
-- not count) and no valid key.
create function tenancy.standing(actor uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    held text;
    maker uuid;
begin
    select m.role into held
    from tenancy.members as m
    where m.tenant_id = tenant and m.account_id = actor and m.status = 'active' and m.role <> 'customer';
    if held is not null then
        return held;
    end if;
    select k.role, k.created_by into held, maker
    from tenancy.api_keys as k
    where
        k.tenant_id = tenant
        and k.id = actor
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now());
    if held is null or not app.has_feature(tenant, 'api_access') then
        return null;
    end if;
    return app.lower_role(held, tenancy.standing(maker));
end
$$;

alter function tenancy.standing(uuid) owner to appointd_gate;


-- Whether the organization, given by id, host or slug, lists the origin of a page as trusted.
create function tenancy.trusts_origin(origin text, organization uuid, host text, slug text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    asked uuid := organization;
    trusted boolean;
begin
    perform app.stay_outside();
    if host is not null then
        -- If both are given they have to agree.
        asked := tenancy.organization_at(host);
        if organization is not null and organization is distinct from asked then
            return false;
        end if;
    elsif asked is null then
        select o.id into asked from tenancy.organizations as o where o.slug = trusts_origin.slug;
    end if;
    if asked is null then
        return false;
    end if;
    perform app.set_tenant(asked);
    select trusts_origin.origin = any (s.trusted_origins) into trusted
    from tenancy.settings as s
    where s.tenant_id = asked;
    perform app.set_tenant(null);
    return coalesce(trusted, false);
end
$$;

alter function tenancy.trusts_origin(text,uuid,text,text) owner to appointd_gate;
grant execute on function tenancy.trusts_origin(text,uuid,text,text) to appointd_api;


-- The day to which the organization in the context counts what happens now. It is never one that is closed.
create function tenancy.usage_day()
returns date
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    return greatest(
        (select (now() at time zone o.time_zone)::date from tenancy.organizations as o where o.id = tenant),
        -- Closed already: the time zone has changed to one further west.
        (
            select d.day + 1
            from tenancy.usage_days as d
            where d.tenant_id = tenant and d.closed_at is not null
            order by d.day desc
            limit 1
        )
    );
end
$$;

alter function tenancy.usage_day() owner to appointd_gate;


-- How an organization speaks to people: its name and looks, its language, formats and time zone. Under the policies of
-- the caller.
create function tenancy.voice(organization uuid)
returns table(
    name text, address text, logo_url text, color text, language text, date_format text, time_format text,
    time_zone text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        coalesce(b.display_name, o.name), b.address, b.logo_url, b.primary_color, s.language, s.date_format,
        s.time_format, o.time_zone
    from tenancy.organizations as o
    join tenancy.branding as b on b.tenant_id = o.id
    join tenancy.settings as s on s.tenant_id = o.id
    where o.id = organization;
end
$$;

grant execute on function tenancy.voice(uuid) to appointd_api;
grant execute on function tenancy.voice(uuid) to appointd_worker;
