-- What an organization says about itself: settings, branding, its domains; and how much it used the server.

create table tenancy.settings (
    tenant_id uuid not null default app.tenant(),
    language text not null default 'en',
    date_format text not null default 'ymd_dashes',
    time_format text not null default 'h24',
    notify_by_email boolean not null default true,
    notify_by_sms boolean not null default false,
    notify_by_push boolean not null default false,
    data_retention_days integer not null default 730,
    gdpr_compliant boolean not null default true,
    exclusive_members boolean not null default true,
    check_in_opens_minutes integer not null default 60,
    updated_at timestamptz not null default now(),
    trusted_origins text[] not null default '{}',
    guest_bookings_per_address integer not null default 20,
    guest_bookings_per_email integer not null default 5,
    guests_match_by_verified_email boolean not null default false,
    reminder_minutes integer[] not null default '{}',
    thanks_after_minutes integer,
    review_url text,
    constraint settings_pkey primary key (tenant_id),
    constraint settings_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint settings_language_form check (language ~ '^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$'),
    constraint settings_date_format check (date_format in ('ymd_dashes', 'dmy_dots', 'dmy_slashes', 'mdy_slashes')),
    constraint settings_time_format check (time_format in ('h24', 'h12')),
    constraint settings_data_retention check (data_retention_days between 30 and 36500),
    constraint settings_check_in_opens check (check_in_opens_minutes between 0 and 1440),
    constraint settings_trusted_origins check (cardinality(trusted_origins) <= 20),
    constraint settings_guest_bookings_per_address check (guest_bookings_per_address between 1 and 10000),
    constraint settings_guest_bookings_per_email check (guest_bookings_per_email between 1 and 10000),
    constraint settings_reminder_minutes check (
        cardinality(reminder_minutes) <= 5 and array_position(reminder_minutes, null) is null
        and 5 <= all (reminder_minutes) and 43200 >= all (reminder_minutes)
    ),
    constraint settings_thanks_after check (thanks_after_minutes between 0 and 43200),
    constraint settings_review_url check (review_url ~ '^https://[^[:space:]]+$' and length(review_url) <= 2000)
);

comment on table tenancy.settings is
    'Settings of an organization, one row each. The time zone is in tenancy.organizations. Language, formats, '
    'notifications and privacy are stored for clients; the server does not act on them yet.';
comment on column tenancy.settings.language is 'BCP 47 language tag: language, optionally script and region.';
comment on column tenancy.settings.date_format is
    'How dates are shown to people: 2026-12-24, 24.12.2026, 24/12/2026 or 12/24/2026.';
comment on column tenancy.settings.time_format is 'How times of day are shown to people: 14:30 (h24) or 2:30 pm (h12).';
comment on column tenancy.settings.notify_by_email is 'Whether customers are notified by e-mail.';
comment on column tenancy.settings.notify_by_sms is 'Whether customers are notified by text message.';
comment on column tenancy.settings.notify_by_push is 'Whether customers are notified by push message.';
comment on column tenancy.settings.data_retention_days is
    'Number of days that data about people are kept after they were last needed.';
comment on column tenancy.settings.gdpr_compliant is
    'Whether the organization is bound by the GDPR (Regulation (EU) 2016/679).';
comment on column tenancy.settings.exclusive_members is
    'Whether members of this organization may belong to no other. Does not apply to its owners, nor to customers.';
comment on column tenancy.settings.check_in_opens_minutes is
    'Minutes before its start from which an appointment can be checked in, 0 to 1,440.';
comment on column tenancy.settings.updated_at is 'When a setting last changed.';
comment on column tenancy.settings.trusted_origins is
    'Origins of web pages, at most 20, that may read answers about the organization in a browser (CORS). They grant '
    'no right by themselves.';
comment on column tenancy.settings.guest_bookings_per_address is
    'Maximum number of bookings that guests may request from one network address within an hour, 1 to 10,000.';
comment on column tenancy.settings.guest_bookings_per_email is
    'Maximum number of bookings that guests may request with one e-mail address within a day, 1 to 10,000.';
comment on column tenancy.settings.guests_match_by_verified_email is
    'Whether a booking of a guest with a verified e-mail address is made for the contact with that address, if '
    'exactly one contact has it. The contact is not changed.';
comment on column tenancy.settings.reminder_minutes is
    'How many minutes before an appointment its contact is reminded of it, at most five times, each 5 to 43,200. '
    'A service may say otherwise (scheduling.services.reminder_minutes).';
comment on column tenancy.settings.thanks_after_minutes is
    'How many minutes after an appointment was completed its contact is thanked, 0 to 43,200; null: never.';
comment on column tenancy.settings.review_url is
    'https URL where customers can review the organization, which the thanks contain; null: none.';

call app.build_wall('tenancy.settings', reads => 'viewer', updates => 'admin');
call app.admit('tenancy.settings', 'appointd_gate', array['select', 'insert']);
call app.admit('tenancy.settings', 'appointd_owner', array['all']);
call operations.audit('tenancy.settings');
call app.date_changes('tenancy.settings');

grant
    select,
    update (
        language, date_format, time_format, notify_by_email, notify_by_sms, notify_by_push, data_retention_days,
        gdpr_compliant, exclusive_members, check_in_opens_minutes, updated_at, trusted_origins,
        guest_bookings_per_address, guest_bookings_per_email, guests_match_by_verified_email, reminder_minutes,
        thanks_after_minutes, review_url
    )
on tenancy.settings to appointd_api;
grant select, insert (exclusive_members) on tenancy.settings to appointd_gate;

-- Reported like a violated constraint: SQLSTATE 23514, verified_only.
create function app.verified_only() returns trigger
language plpgsql
as $$
begin
    if not app.may_hand_out() then
        raise exception 'the e-mail address of the account is not verified'
            using errcode = 'check_violation', constraint = 'verified_only';
    end if;
    return new;
end
$$;

comment on function app.verified_only() is
    'Trigger, before a row is written that leads data or visitors of an organization elsewhere: fails for an account '
    'whose e-mail address is not verified. What it set up would stay when the owner of the address takes it over.';

create trigger verified_only_update before update of trusted_origins, review_url on tenancy.settings
for each row when (
    not new.trusted_origins <@ old.trusted_origins or new.review_url <> coalesce(old.review_url, '')
)
execute function app.verified_only();


create table tenancy.branding (
    tenant_id uuid not null default app.tenant(),
    display_name text,
    logo_url text,
    favicon_url text,
    primary_color text,
    secondary_color text,
    style_sheet_url text,
    updated_at timestamptz not null default now(),
    constraint branding_pkey primary key (tenant_id),
    constraint branding_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint branding_display_name_length check (length(display_name) between 1 and 200),
    constraint branding_logo_url check (logo_url ~ '^https://[^[:space:]]+$' and length(logo_url) <= 2000),
    constraint branding_favicon_url check (favicon_url ~ '^https://[^[:space:]]+$' and length(favicon_url) <= 2000),
    constraint branding_style_sheet_url check (
        style_sheet_url ~ '^https://[^[:space:]]+$' and length(style_sheet_url) <= 2000
    ),
    constraint branding_primary_color check (primary_color ~ '^#[0-9a-f]{6}$'),
    constraint branding_secondary_color check (secondary_color ~ '^#[0-9a-f]{6}$')
);

comment on table tenancy.branding is 'How an organization presents itself to its customers, one row each. Public.';
comment on column tenancy.branding.display_name is
    'Name shown to customers, 1 to 200 characters; null: the name of the organization.';
comment on column tenancy.branding.logo_url is 'https URL of a picture.';
comment on column tenancy.branding.favicon_url is 'https URL of a small picture. Feature custom_branding.';
comment on column tenancy.branding.primary_color is 'sRGB as #rrggbb, lower case. Feature custom_branding.';
comment on column tenancy.branding.secondary_color is 'sRGB as #rrggbb, lower case. Feature custom_branding.';
comment on column tenancy.branding.style_sheet_url is 'https URL of a style sheet. Feature custom_branding.';
comment on column tenancy.branding.updated_at is 'When it last changed.';

call app.build_wall('tenancy.branding', reads => 'viewer', updates => 'admin');
call app.open_to('tenancy.branding', 'guest,customer', 'select');
call app.admit('tenancy.branding', 'appointd_gate', array['select', 'insert']);
call app.admit('tenancy.branding', 'appointd_owner', array['all']);
call operations.audit('tenancy.branding');
call app.date_changes('tenancy.branding');

grant select, update (display_name, logo_url, favicon_url, primary_color, secondary_color, style_sheet_url, updated_at)
on tenancy.branding to appointd_api;
grant select, insert (display_name) on tenancy.branding to appointd_gate;

create trigger verified_only_update before update of logo_url, favicon_url, style_sheet_url on tenancy.branding
for each row when (
    new.logo_url <> coalesce(old.logo_url, '')
    or new.favicon_url <> coalesce(old.favicon_url, '')
    or new.style_sheet_url <> coalesce(old.style_sheet_url, '')
)
execute function app.verified_only();


create table tenancy.domains (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    domain text not null,
    challenge text not null,
    verified_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint domains_pkey primary key (tenant_id, id),
    constraint domains_domain_key unique (tenant_id, domain),
    constraint domains_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint domains_domain_form check (
        domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' and length(domain) <= 253
    )
);

comment on table tenancy.domains is
    'Domains that an organization claims. A verified one is in tenancy.verified_domains as well.';
comment on column tenancy.domains.id is 'UUIDv7.';
comment on column tenancy.domains.domain is
    'A domain name in its ASCII form (IDNA 2008, RFC 5891), lower case, without a dot at the end.';
comment on column tenancy.domains.challenge is 'Required content of the TXT record _appointd-challenge.<domain>.';
comment on column tenancy.domains.verified_at is
    'When the record was first seen; null: not yet, or the domain lapsed or went to another organization.';
comment on column tenancy.domains.created_at is 'When it was added.';
comment on column tenancy.domains.updated_at is
    'When it was added or verified, lapsed, or its DNS record went missing or was found again.';

create index domains_updated_idx on tenancy.domains (tenant_id, updated_at);

call app.build_wall('tenancy.domains', reads => 'admin', inserts => 'owner', deletes => 'owner');
-- What was seen in the DNS is the gate's to write: tenancy.claim_domain, tenancy.note_domain.
call app.admit('tenancy.domains', 'appointd_gate', array['select', 'update']);
call app.admit('tenancy.domains', 'appointd_owner', array['all']);
call operations.audit('tenancy.domains');

grant select, insert (id, domain, challenge), delete on tenancy.domains to appointd_api;
grant select (tenant_id, id, domain, challenge, verified_at), update (verified_at, updated_at)
on tenancy.domains to appointd_gate;

create trigger verified_only_insert before insert on tenancy.domains
for each row execute function app.verified_only();
create trigger touch before update of verified_at on tenancy.domains
for each row when (new.verified_at is distinct from old.verified_at) execute function app.touch();


-- Global, because a domain leads to one organization: the key has no tenant in it on purpose.
create table tenancy.verified_domains (
    domain text not null,
    organization_id uuid not null default app.tenant(),
    checked_at timestamptz not null default now(),
    missing_since timestamptz,
    constraint verified_domains_pkey primary key (domain),
    constraint verified_domains_organization_fkey foreign key (organization_id) references tenancy.organizations (id)
);

comment on table tenancy.verified_domains is
    'Which organization a host name leads to. Public, like the DNS record that proves it. An organization sees and '
    'deletes its own rows. A row is deleted when the record has been missing for a week, and moves when the present '
    'holder of the DNS proves the domain for another organization.';
comment on column tenancy.verified_domains.domain is 'The domain name, as in tenancy.domains.';
comment on column tenancy.verified_domains.organization_id is 'The organization that proved it.';
comment on column tenancy.verified_domains.checked_at is
    'When the DNS record was last looked up. Servers look it up once a day.';
comment on column tenancy.verified_domains.missing_since is
    'Since when the record has been missing; null: it was found at the last look-up.';

create index verified_domains_checked_idx on tenancy.verified_domains (checked_at);
create index verified_domains_organization_idx on tenancy.verified_domains (organization_id);

alter table tenancy.verified_domains enable row level security;
alter table tenancy.verified_domains force row level security;

create policy own_select on tenancy.verified_domains as permissive for select to appointd_api
    using (organization_id = (select app.tenant()));
create policy owner_delete on tenancy.verified_domains as permissive for delete to appointd_api
    using (
        organization_id = (select app.tenant())
        and (select app.role() = any ('{owner}'))
    );
create policy gate_all on tenancy.verified_domains as permissive for all to appointd_gate
    using (true) with check (true);
call app.admit('tenancy.verified_domains', 'appointd_owner', array['all'], 'organization_id');

grant select, delete on tenancy.verified_domains to appointd_api;
grant select, insert (domain), update (organization_id, checked_at, missing_since), delete
on tenancy.verified_domains to appointd_gate;


create table tenancy.usage_days (
    tenant_id uuid not null default app.tenant(),
    day date not null,
    requests bigint not null,
    emails bigint not null default 0,
    emails_failed bigint not null default 0,
    sms bigint not null default 0,
    appointments bigint,
    storage_bytes bigint,
    starts_at timestamptz,
    ends_at timestamptz,
    closed_at timestamptz,
    constraint usage_days_pkey primary key (tenant_id, day),
    constraint usage_days_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint usage_days_counted check (requests >= 0 and emails >= 0 and emails_failed >= 0 and sms >= 0),
    constraint usage_days_closed check (
        (closed_at is null) = (appointments is null)
        and (closed_at is null) = (storage_bytes is null)
        and (closed_at is null) = (starts_at is null)
        and (closed_at is null) = (ends_at is null)
        and starts_at <= ends_at
    )
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table tenancy.usage_days is 'What an organization has used, by day.';
comment on column tenancy.usage_days.day is 'The day, in the time zone of the organization.';
comment on column tenancy.usage_days.requests is
    'Number of requests answered. Counted by each server and added every few seconds.';

comment on column tenancy.usage_days.emails is 'Number of e-mails sent for the organization.';
comment on column tenancy.usage_days.emails_failed is 'Number of e-mails that were given up or came back.';
comment on column tenancy.usage_days.sms is 'Number of text messages sent for the organization.';
comment on column tenancy.usage_days.appointments is
    'Number of appointments booked on this day, with those that were cancelled later; null: the day is not closed.';
comment on column tenancy.usage_days.storage_bytes is
    'Size of all files when the day was closed, in bytes; null: the day is not closed.';
comment on column tenancy.usage_days.starts_at is
    'When the day began: when the one before ended. Null: the day is not closed.';
comment on column tenancy.usage_days.ends_at is
    'When the day ended, by the time zone of then. Null: the day is not closed.';
comment on column tenancy.usage_days.closed_at is
    'When the worker closed the day; the row never changes after this. Null: the day has not ended.';

call app.build_wall('tenancy.usage_days', reads => 'admin');
call app.admit('tenancy.usage_days', 'appointd_gate', array['select', 'insert', 'update']);
call app.admit('tenancy.usage_days', 'appointd_owner', array['all']);

grant select on tenancy.usage_days to appointd_api;
grant
    select, insert,
    update (requests, emails, emails_failed, sms, appointments, storage_bytes, starts_at, ends_at, closed_at)
on tenancy.usage_days to appointd_gate;
