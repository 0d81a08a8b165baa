-- $1 id, $2 name, $3 description or null, $4 duration in minutes, $5 slot step in minutes
insert into scheduling.services (id, name, description, duration_minutes, slot_step_minutes)
values ($1, $2, $3, $4, $5)
returning id, name, description, duration_minutes, slot_step_minutes, active, created_at, updated_at
