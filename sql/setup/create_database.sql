-- What `createdb --owner appointd_owner appointd` does.

create database appointd owner appointd_owner;
