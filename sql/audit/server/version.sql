-- error: The server lacks fixes that row-level security depends on
--
-- 15.14, 16.10 and 17.6 no longer show hidden rows through the planner's statistics (CVE-2025-8713); those before them
-- in each line mended plans cached for another role (CVE-2024-10976). Releases before 15 are not supported: they have
-- no security_invoker.

select
    'server' as object,
    format('version %s', current_setting('server_version')) as found,
    '-- install the newest minor release and restart' as fix
where
    current_setting('server_version_num')::integer < 150014
    or current_setting('server_version_num')::integer between 160000 and 160009
    or current_setting('server_version_num')::integer between 170000 and 170005
order by 1
