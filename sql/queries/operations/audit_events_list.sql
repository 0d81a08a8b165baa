-- $1 tenant_id, $2 row id, $3 actor, $4 table, $5 from, $6 to, $7 before this time, $8 and this id, $9 row limit, $10
-- ids; null: any
select id, occurred_at, actor_kind, actor_id, request_id, action, relation, row_id, before, after
from operations.audit_events
where
    tenant_id = $1
    and ($2::uuid is null or row_id = $2)
    and ($3::uuid is null or actor_id = $3)
    and ($4::text is null or relation = $4)
    and ($5::timestamptz is null or occurred_at >= $5)
    and ($6::timestamptz is null or occurred_at < $6)
    and ($7::timestamptz is null or (occurred_at, id) < ($7, $8::uuid))
    and ($10::uuid[] is null or id = any ($10))
order by occurred_at desc, id desc
limit $9
