"""What the disk does to an archive: calls that fail, processes killed inside one, power that is lost."""
