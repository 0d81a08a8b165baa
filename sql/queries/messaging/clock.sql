-- no parameters; the clock of the database
select statement_timestamp() as now
