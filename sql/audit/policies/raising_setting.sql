-- warning: A policy fails where nobody has entered
--
-- current_setting(name) without `true` raises an error on a connection that never set it, and is the empty string on
-- one that once did: the same statement fails or not by what the connection was used for before.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    call.name[1] as found,
    format('-- alter policy %I on %s …, with current_setting(name, true)', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral regexp_matches(
    concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
    '(current_setting\([^,()]*\))', 'g'
) as call (name)
order by 1, 2
