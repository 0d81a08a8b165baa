-- $1 tenant_id; endpoints that have failed for an hour, or were disabled because they failed, with the number of events
-- of seven days that they did not get
select
    regexp_replace(w.url, '[?#].*$', '') as about,
    (
        select count(*)
        from messaging.webhook_deliveries as d
        where
            d.tenant_id = $1 and d.endpoint_id = w.id and d.state <> 'delivered'
            and d.created_at > now() - interval '7 days'
    ) as count,
    null::bigint as most,
    coalesce(w.disabled_at, w.failing_since) as since
from messaging.webhook_endpoints as w
where
    w.tenant_id = $1
    and (w.disabled_reason in ('gone', 'failing') or (w.enabled and w.failing_since < now() - interval '1 hour'))
order by w.id
