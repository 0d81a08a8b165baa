-- $1 tenant_id, $2 deleted at or after, $3 kind or null for any, $4 after this time, $5 and this id, $6 row limit,
-- $7 ids or null for any
select kind, row_id, deleted_at
from operations.deletions
where
    tenant_id = $1
    and deleted_at >= $2
    and (kind = $3 or $3 is null)
    and (deleted_at, row_id) > ($4, $5)
    and (row_id = any ($7) or $7 is null)
order by deleted_at, row_id
limit $6
