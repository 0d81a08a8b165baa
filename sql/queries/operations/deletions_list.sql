-- $1 tenant_id, $2 deleted at or after, $3 kind or null for any, $4 after this time, $5 and this id, $6 row limit
select kind, row_id, deleted_at
from operations.deletions
where
    tenant_id = $1
    and deleted_at >= $2
    and (kind = $3 or $3 is null)
    and (deleted_at, row_id) > ($4, $5)
order by deleted_at, row_id
limit $6
