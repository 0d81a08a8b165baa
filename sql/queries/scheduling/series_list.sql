-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids, $5 contact id and
-- $6 updated at or after, or null for any; a series never changes
select id, frequency, every, occurrences, time_zone, created_at
from scheduling.series
where
    tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null)
    and (
        id in (select a.series_id from scheduling.appointments as a where a.tenant_id = $1 and a.contact_id = $5)
        or $5 is null
    )
    and (created_at >= $6 or $6 is null)
order by id
limit $3
