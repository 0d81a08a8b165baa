-- $1 tenant_id, $2 contact id, $3 first instants, $4 end instants, side by side: which of them the contact has something else in, from 1 on
select t.position
from unnest($3::timestamptz[], $4::timestamptz[]) with ordinality as t (starts_at, ends_at, position)
where
    exists (
        select
        from scheduling.claims as c
        where
            c.tenant_id = $1 and c.resource_id = $2
            and c.starts_at > t.starts_at - interval '24 hours' and c.starts_at < t.ends_at and c.ends_at > t.starts_at
    )
order by t.position
