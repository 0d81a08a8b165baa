-- $1 organization, $2 a line of its export
select app.import_row($1, $2::text::jsonb)
