-- $1 tenant_id, $2 id, $3 status, or null for that of the task, $4 id of the task that is to follow, $5 of the one
-- before it, or null
--
-- Between which positions the task goes; without $4 and $5, behind the last one.
--
-- Materialized: behind policies, an index serves no comparison with the coalesce below.
with moved as materialized (
    select coalesce($3, t.status) as status
    from work.tasks as t
    where t.tenant_id = $1 and t.id = $2
),
neighbour as materialized (
    select n.id, n.board_position, n.status
    from work.tasks as n
    where n.tenant_id = $1 and n.id in ($4::uuid, $5::uuid) and n.id <> $2
)
select
    m.status,
    n.status as neighbour_status,
    case
        when $5 is not null then n.board_position
        when $4 is not null then (
            select t.board_position
            from work.tasks as t
            where
                t.tenant_id = $1 and t.status = m.status and t.id <> $2
                and (t.board_position, t.id) < (n.board_position, n.id)
            order by t.board_position desc, t.id desc
            limit 1
        )
        else (
            select max(t.board_position)
            from work.tasks as t
            where t.tenant_id = $1 and t.status = m.status and t.id <> $2
        )
    end as low,
    case
        when $4 is not null then n.board_position
        when $5 is not null then (
            select t.board_position
            from work.tasks as t
            where
                t.tenant_id = $1 and t.status = m.status and t.id <> $2
                and (t.board_position, t.id) > (n.board_position, n.id)
            order by t.board_position, t.id
            limit 1
        )
    end as high
from moved as m
left join neighbour as n on true
