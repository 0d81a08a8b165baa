-- $1 tenant_id, $2 id, $3 name, $4 whether to set $5 description, $6 duration in minutes, $7 slot step in minutes, $8 active; null leaves a value
update scheduling.services
set
    name = coalesce($3, name),
    description = case when $4 then $5 else description end,
    duration_minutes = coalesce($6, duration_minutes),
    slot_step_minutes = coalesce($7, slot_step_minutes),
    active = coalesce($8, active),
    updated_at = now()
where tenant_id = $1 and id = $2
returning id, name, description, duration_minutes, slot_step_minutes, active, created_at, updated_at
