-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids, $5 from and $6
-- to (dates), and $7 updated at or after, or null for any
select id, starts_on, ends_on, name, created_at, updated_at
from scheduling.closures
where
    tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null)
    and (ends_on >= $5 or $5 is null) and (starts_on < $6 or $6 is null)
    and (updated_at >= $7 or $7 is null)
order by id
limit $3
