-- $1 tenant_id, $2 id, $3 title, $4 status, $5 priority (null keeps them), $6 whether to set $7 description, $8
-- whether to set $9 assignee, $10 whether to set $11 due on, $12 whether to set $13 frequency, $14 interval and $15
-- start of the repetition
--
-- With another status it goes to the end of the other column.
update work.tasks
set
    title = coalesce($3, title),
    status = coalesce($4, status),
    priority = coalesce($5, priority),
    description = case when $6 then $7 else description end,
    assignee_id = case when $8 then $9 else assignee_id end,
    due_on = case when $10 then $11 else due_on end,
    completed_at = case when coalesce($4, status) = 'done' then coalesce(completed_at, now()) end,
    board_position = case
        when coalesce($4, status) = status then board_position
        else greatest(
            (extract(epoch from clock_timestamp()) * 1000000)::bigint,
            (select max(b.board_position) + 1 from work.tasks as b where b.tenant_id = $1 and b.status = $4)
        )
    end,
    repeat_frequency = case when $12 then $13 else repeat_frequency end,
    repeat_every = case when $12 then $14 else repeat_every end,
    repeat_from = case when $12 then $15 else repeat_from end,
    repeat_day = case
        when case when $12 then $13 else repeat_frequency end is null then null
        when
            ($10 and $11 is distinct from due_on)
            or ($12 and ($13, $14, $15) is distinct from (repeat_frequency, repeat_every, repeat_from))
            then coalesce(extract(day from case when $10 then $11 else due_on end), 1)::smallint
        else repeat_day
    end,
    updated_at = now()
where tenant_id = $1 and id = $2
returning id
