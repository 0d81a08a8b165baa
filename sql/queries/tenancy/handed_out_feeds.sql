-- $1 tenant_id, $2 account; calendar feeds made by the account and by its API keys
select id, name, created_at, created_by
from scheduling.calendar_feeds
where
    tenant_id = $1
    and (
        created_by = $2
        or created_by in (select k.id from tenancy.api_keys as k where k.tenant_id = $1 and k.created_by = $2)
    )
order by id
limit 100
