-- Calendars (RFC 5545) that programs subscribe to, each behind a secret URL that can be revoked.

create table scheduling.calendar_feeds (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    provider_id uuid,
    name text not null,
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(
        nullif(current_setting('app.account_id', true), ''), nullif(current_setting('app.key_id', true), '')
    )::uuid,
    constraint calendar_feeds_pkey primary key (tenant_id, id),
    constraint calendar_feeds_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint calendar_feeds_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint calendar_feeds_name_length check (length(name) between 1 and 200),
    constraint calendar_feeds_token_hash_length check (length(token_hash) = 32)
);

comment on table scheduling.calendar_feeds is
    'Calendars that anyone with their URL can read. A feed is revoked by deleting its row; it is deleted when its '
    'maker leaves.';
comment on column scheduling.calendar_feeds.id is 'UUIDv7, made by the server.';
comment on column scheduling.calendar_feeds.provider_id is
    'The provider whose appointments it shows; null: all providers.';
comment on column scheduling.calendar_feeds.name is 'Purpose of the feed, 1 to 200 characters.';
comment on column scheduling.calendar_feeds.token_hash is 'SHA-256 of the secret in the URL.';
comment on column scheduling.calendar_feeds.created_at is 'When it was made.';
comment on column scheduling.calendar_feeds.created_by is 'The account or API key that made it.';

create index calendar_feeds_provider_idx on scheduling.calendar_feeds (tenant_id, provider_id);
create index calendar_feeds_created_by_idx on scheduling.calendar_feeds (tenant_id, created_by);

call app.build_wall(
    'scheduling.calendar_feeds', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff'
);
call app.admit('scheduling.calendar_feeds', 'appointd_gate', array['select', 'delete']);
call app.admit('scheduling.calendar_feeds', 'appointd_owner', array['all']);
call operations.audit('scheduling.calendar_feeds');

grant
    select (tenant_id, id, provider_id, name, created_at, created_by),
    insert (id, provider_id, name, token_hash),
    update (name),
    delete
on scheduling.calendar_feeds to appointd_api;
grant select (tenant_id, id, provider_id, name, token_hash, created_at, created_by), delete
on scheduling.calendar_feeds to appointd_gate;
