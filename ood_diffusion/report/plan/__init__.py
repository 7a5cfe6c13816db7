"""What a run or a sweep would cost (`dry_run=true`)."""
