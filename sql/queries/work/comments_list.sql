-- $1 tenant_id, $2 task, $3 last id of the page before, or the nil UUID, $4 row limit, $5 ids, or null for any
select id, task_id, text, mentions, author_id, created_at
from work.comments
where tenant_id = $1 and task_id = $2 and id > $3 and (id = any ($5) or $5 is null)
order by id
limit $4
