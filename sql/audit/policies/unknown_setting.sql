-- error: A policy trusts a setting
--
-- Every role may set the settings with names of our own (app.…), and those that programs set for their sessions. A
-- policy reads the context by app.tenant(), app.account(), app.api_key(), app.subject() and app.role(), and nothing
-- else: it stands where only app.enter and similar functions can write, after they have verified the caller.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    format('reads a setting: %s', e.expression) as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral (
    select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as expression
) as e
where e.expression ~ '\m(current_setting|pg_settings|pg_show_all_settings|pg_show_all_file_settings)\M'
order by 1, 2
