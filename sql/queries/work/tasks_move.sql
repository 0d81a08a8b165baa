-- $1 tenant_id, $2 id, $3 status, $4 position
update work.tasks
set
    status = $3,
    board_position = $4,
    completed_at = case when $3 = 'done' then coalesce(completed_at, now()) end,
    updated_at = case when status = $3 then updated_at else now() end
where tenant_id = $1 and id = $2
returning id
