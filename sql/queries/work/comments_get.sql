-- $1 tenant_id, $2 id
select id, task_id, text, mentions, author_id, created_at
from work.comments
where tenant_id = $1 and id = $2
