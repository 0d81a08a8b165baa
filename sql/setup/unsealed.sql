-- For a PostgreSQL without a superuser, which cannot run the last statement of sql/setup/roles.sql. Run as
-- appointd_owner after `appointd migrate`, once. The context is then not sealed: it stands in a setting that every role
-- can change. What that means: docs/security.md. `appointd serve` and `appointd audit` say that it is so.
--
-- To seal it later: run sql/setup/roles.sql as a superuser, then sql/setup/sealed.sql as appointd_owner.

create or replace function app.context() returns text
language sql stable parallel safe
return coalesce(current_setting('app.context', true), '');

-- SET LOCAL with a literal, and not set_config, also reaches the nodes of a Citus cluster.
create or replace function app.set_context(context text) returns text
language plpgsql volatile
as $$
begin
    execute format('set local app.context = %L', context);
    return context;
end
$$;
