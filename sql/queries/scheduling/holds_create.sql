-- $1 tenant_id, $2 id, $3 claims, $4 service id, $5 provider id, $6 starts at, $7 ends at, $8 lifetime in seconds,
-- $9 whether rules were overridden, $10 waitlist entry it is offered to, or null
--
-- Creates a hold. If the time is taken, returns no row, or claims_hold_fkey fails the statement. The claims of an offer
-- do not expire: the time stays taken until the offer is ended, and is then offered to the next entry.
with claim as (
    insert into scheduling.claims (
        id, hold_id, resource_id, service_id, serves_at, serves_until, starts_at, ends_at, group_key, seat, capacity,
        expires_at
    )
    select
        c.id, c.owner_id, c.resource_id, c.service_id, c.serves_at, c.serves_until, c.starts_at, c.ends_at, c.group_key,
        c.seat, c.capacity,
        case when $10::uuid is null then statement_timestamp() + make_interval(secs => $8) end
    from
        jsonb_to_recordset($3) as c (
            id uuid, owner_id uuid, resource_id uuid, service_id uuid, serves_at timestamptz, serves_until timestamptz,
            starts_at timestamptz, ends_at timestamptz, group_key uuid, seat smallint, capacity smallint
        )
    order by c.resource_id, c.starts_at
    on conflict do nothing
    returning id, resource_id, starts_at, ends_at
),
person as (
    select c.id, c.starts_at, c.ends_at, p.id as provider_id, p.account_id
    from claim as c
    join scheduling.providers as p on p.tenant_id = $1 and p.id = c.resource_id
    where p.account_id is not null
),
shared as (
    insert into scheduling.shared_claims (claim_id, provider_id, account_id, starts_at, ends_at)
    select id, provider_id, account_id, starts_at, ends_at
    from person
    order by account_id, starts_at
    on conflict do nothing
    returning 1
),
taken as (
    select
        (select count(*) from claim) = jsonb_array_length($3)
        and (select count(*) from shared) = (select count(*) from person) as whole
)
insert into scheduling.holds (
    id, service_id, provider_id, starts_at, ends_at, expires_at, overridden, waitlist_entry_id
)
select $2, $4, $5, $6, $7, statement_timestamp() + make_interval(secs => $8), $9, $10
where (select whole from taken)
returning id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
