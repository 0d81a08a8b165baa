-- warning: The context is not sealed
--
-- Which organization a transaction has entered, and as whom, stands in a parameter that only the gate and the owner may
-- set: SQL of an attacker, also whole statements, can read it and not change it. After sql/setup/unsealed.sql, for a
-- PostgreSQL without a superuser, it stands in a setting that SET changes.
--
-- To seal it, run sql/setup/roles.sql as a superuser, and sql/setup/sealed.sql as appointd_owner.

with context as (
    select
        f.oid::regprocedure::text as name,
        coalesce(pg_get_function_sqlbody(f.oid), '') in (
            'RETURN current_setting(''backtrace_functions''::text)',
            'RETURN set_config(''backtrace_functions''::text, context, true)'
        ) as is_sealed
    from pg_proc as f
    where f.oid in (to_regprocedure('app.context()'), to_regprocedure('app.set_context(text)'))
)
select
    c.name as object,
    'keeps the context in a setting that every role may change' as found,
    '-- run sql/setup/sealed.sql as appointd_owner' as fix
from context as c
where not c.is_sealed
union all
select
    format('role %s', r.rolname),
    'may not set backtrace_functions, where the context is kept: nothing can be entered',
    format('grant set on parameter backtrace_functions to %I;', r.rolname)
from pg_roles as r
where
    r.rolname in ('appointd_gate', 'appointd_owner')
    and not has_parameter_privilege(r.oid, 'backtrace_functions', 'set')
    and exists (select from context as c where c.is_sealed)
order by 1
