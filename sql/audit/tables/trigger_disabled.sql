-- error: A trigger does not fire
--
-- Triggers enforce foreign keys, the change log, the limits of a plan and the last owner of an organization. One that
-- is disabled, or that fires on replicas only, enforces nothing.

select
    t.tgrelid::regclass::text as object,
    format(
        'trigger %I (%s) is %s',
        t.tgname,
        t.tgfoid::regproc,
        case t.tgenabled when 'D' then 'disabled' else 'for replicas only' end
    ) as found,
    format('alter table %s enable trigger %I;', t.tgrelid::regclass, t.tgname) as fix
from pg_trigger as t
where t.tgrelid >= 16384 and t.tgenabled in ('D', 'R')
order by 1, 2
