-- Seals the context again after sql/setup/unsealed.sql. Run sql/setup/roles.sql as a superuser first, then this as
-- appointd_owner. The functions are those of sql/migrations/V0002__wall.sql.

create or replace function app.context() returns text
language sql stable parallel safe
return current_setting('backtrace_functions');

create or replace function app.set_context(context text) returns text
language sql volatile
return set_config('backtrace_functions', context, true);
