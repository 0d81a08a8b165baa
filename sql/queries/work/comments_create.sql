-- $1 id, $2 task, $3 text, $4 mentioned accounts
insert into work.comments (id, task_id, text, mentions)
values ($1, $2, $3, $4)
returning id, task_id, text, mentions, author_id, created_at
