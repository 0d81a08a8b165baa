-- $1 tenant_id, $2 id of the task that is moved, $3 status, $4 id of the task that is to follow, $5 of the one before
-- it, or null; $6 position of the one before, or 0
--
-- Makes room in front of the task that is to follow: it and those behind it get positions in steps, up to the first one
-- that has a greater position already. Their order stays the same.
with neighbour as materialized (
    select n.id, n.board_position
    from work.tasks as n
    where n.tenant_id = $1 and n.id in ($4::uuid, $5::uuid)
),
following as materialized (
    select t.id, t.board_position, row_number() over (order by t.board_position, t.id) as place
    from neighbour as n
    join work.tasks as t
        on t.tenant_id = $1
        and t.status = $3
        and (t.board_position, t.id) >= (n.board_position, n.id)
        and t.id <> $2
        and ($5 is null or t.id <> $5)
),
stop as (
    select coalesce(min(f.place), 9223372036854775807) as place
    from following as f
    where f.board_position > $6::bigint + f.place * 65536
)
update work.tasks as t
set board_position = $6::bigint + f.place * 65536
from following as f
cross join stop as s
where t.tenant_id = $1 and t.id = f.id and t.status = $3 and f.place < s.place
