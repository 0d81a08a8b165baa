-- A person who is provider of several organizations is in one place at a time. Their claims are noted here once more under
-- their account, in whole quarters of an hour, with a constraint that looks at other tenants: constraints see below the
-- policies, so another organization learns in which quarters the person is busy, and nothing else. Rows are the booking
-- organization's own, like all others.

create table scheduling.shared_claims (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    claim_id uuid not null,
    provider_id uuid not null,
    account_id uuid,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    -- Outwards to whole quarters of an hour: beginning and end are the booking organization's alone.
    during tstzrange not null generated always as (
        tstzrange(
            to_timestamp(floor(extract(epoch from starts_at - timestamptz '1970-01-01 00:00:00+00') / 900) * 900),
            to_timestamp(ceil(extract(epoch from ends_at - timestamptz '1970-01-01 00:00:00+00') / 900) * 900),
            '[)'
        )
    ) stored,
    constraint shared_claims_pkey primary key (tenant_id, claim_id),
    constraint shared_claims_claim_fkey foreign key (tenant_id, claim_id) references scheduling.claims (tenant_id, id) on delete cascade,
    -- The account is the provider's and nobody else's; one that is taken away is null here, and null overlaps nothing.
    constraint shared_claims_person_fkey foreign key (tenant_id, provider_id, account_id)
        references scheduling.providers (tenant_id, id, account_id) on update cascade,
    constraint shared_claims_time check (
        isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at and ends_at - starts_at <= interval '24 hours'
    ),
    -- Within one tenant claims_no_overlap decides, to the minute.
    constraint shared_claims_no_overlap exclude using gist (account_id with =, during with &&, tenant_id with <>)
);

comment on table scheduling.shared_claims is 'The claims on providers who have an account, under that account.';
comment on column scheduling.shared_claims.tenant_id is 'The organization that booked. Filled from the context; the server has no right to write it.';
comment on column scheduling.shared_claims.claim_id is 'The claim.';
comment on column scheduling.shared_claims.provider_id is 'The provider as that organization knows them.';
comment on column scheduling.shared_claims.account_id is 'The person; null once they are that provider no more.';
comment on column scheduling.shared_claims.starts_at is 'First instant taken.';
comment on column scheduling.shared_claims.ends_at is 'First instant not taken any more.';
comment on column scheduling.shared_claims.during is 'starts_at to ends_at in whole quarters of an hour, half-open: what other organizations meet.';
comment on constraint shared_claims_no_overlap on scheduling.shared_claims is
    'Nobody is in two organizations within one quarter of an hour. Between tenants on purpose: it is the one thing they share.';
create index shared_claims_person_idx on scheduling.shared_claims (account_id, starts_at);
-- With the account: a provider who becomes another person changes the rows that lead to it.
create index shared_claims_provider_idx on scheduling.shared_claims (tenant_id, provider_id, account_id);

call app.build_wall('scheduling.shared_claims', reads => 'staff', inserts => 'staff', updates => 'staff');
call app.admit('scheduling.shared_claims', 'appointd_owner', array['all']);
grant select on scheduling.shared_claims to appointd_api;
grant insert (claim_id, provider_id, account_id, starts_at, ends_at) on scheduling.shared_claims to appointd_api;
-- Completing an appointment early shortens its claims.
grant update (ends_at) on scheduling.shared_claims to appointd_api;

-- The gate sees all rows, for the one function below.
drop policy tenant_floor on scheduling.shared_claims;
create policy tenant_floor_select on scheduling.shared_claims as restrictive for select to public
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        or (select current_user) = 'appointd_gate'
    );
create policy tenant_floor_insert on scheduling.shared_claims as restrictive for insert to public
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_update on scheduling.shared_claims as restrictive for update to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_delete on scheduling.shared_claims as restrictive for delete to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy gate_select on scheduling.shared_claims as permissive for select to appointd_gate using (true);
-- Beginnings to search by; it tells the quarters.
grant select (tenant_id, account_id, starts_at, during) on scheduling.shared_claims to appointd_gate;
grant select (tenant_id, id, account_id) on scheduling.providers to appointd_gate;

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.busy_elsewhere(
    in provider uuid, in from_instant timestamptz, in to_instant timestamptz, out starts timestamptz[], out ends timestamptz[]
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Of a provider of the organization that was entered, or of nobody.
    person constant uuid := (
        select p.account_id
        from scheduling.providers as p
        where
            p.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
            and p.id = provider
            and nullif(current_setting('app.role', true), '') is not null
    );
begin
    -- Quarters that touch are one: how many appointments there are is not told.
    select coalesce(array_agg(lower(b.busy) order by b.busy), '{}'), coalesce(array_agg(upper(b.busy) order by b.busy), '{}')
    into starts, ends
    from (
        select unnest(range_agg(s.during)) as busy
        from scheduling.shared_claims as s
        where
            s.account_id = person
            and s.tenant_id <> (select nullif(current_setting('app.tenant_id', true), '')::uuid)
            -- A claim lasts 24 hours at most, and a quarter of an hour is not a day.
            and s.starts_at > from_instant - interval '25 hours'
            and s.starts_at < to_instant + interval '1 hour'
            and lower(s.during) < to_instant
            and upper(s.during) > from_instant
    ) as b;
end
$$;

comment on function scheduling.busy_elsewhere(uuid, timestamptz, timestamptz) is
    'When a provider of the organization that was entered is taken by other organizations, around a period, in whole quarters of an hour. Not by which, nor what for.';
grant execute on function scheduling.busy_elsewhere(uuid, timestamptz, timestamptz) to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;
