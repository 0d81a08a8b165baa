-- error: A policy trusts a setting that is not verified
--
-- app.enter and similar functions verify the caller and set the settings below. Any other setting (a claim copied from
-- a token, a header) is what the client sent.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    format('reads the setting %s', setting.name) as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
cross join lateral (
    select (regexp_matches(
        concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
        'current_setting\(\(?''([^'']*)''', 'g'
    ))[1] as name
) as setting
where setting.name not in ('app.tenant_id', 'app.account_id', 'app.role', 'app.key_id', 'app.appointment_id')
group by p.polrelid, p.polname, setting.name
union all
-- A computed name can be any name.
select
    format('%s policy %I', p.polrelid::regclass, p.polname),
    format('reads a setting whose name is computed: %s', e.expression),
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass)
from pg_policy as p
cross join lateral (
    select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as expression
) as e
where e.expression ~ 'current_setting\((?!''[^'']*''::text[,)])'
order by 1, 2
