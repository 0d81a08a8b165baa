-- $1 tenant_id, $2 id, $3 title, $4 description or null, $5 status, $6 priority; or null: $7 assignee, $8 due on, $9
-- frequency, $10 interval and $11 start of the repetition
--
-- It goes to the end of its column.
insert into work.tasks (
    id, title, description, status, priority, assignee_id, due_on, completed_at, board_position, repeat_frequency,
    repeat_every, repeat_from, repeat_day
)
values (
    $2, $3, $4, $5, $6, $7, $8, case when $5 = 'done' then now() end,
    greatest(
        (extract(epoch from clock_timestamp()) * 1000000)::bigint,
        (select max(b.board_position) + 1 from work.tasks as b where b.tenant_id = $1 and b.status = $5)
    ),
    $9, $10, $11, case when $9::text is not null then coalesce(extract(day from $8::date), 1)::smallint end
)
returning id
