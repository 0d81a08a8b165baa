-- $1 organization
select app.export_tenant($1)::text as line
