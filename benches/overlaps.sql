-- Claims, and how many of them begin before an earlier one of the same resource has ended.
select
    count(*) as claims,
    count(*) filter (where starts_at < taken_until) as overlaps
from (
    select
        starts_at,
        max(ends_at) over (
            partition by tenant_id, resource_id
            order by starts_at, id
            rows between unbounded preceding and 1 preceding
        ) as taken_until
    from scheduling.claims
) as claims;
