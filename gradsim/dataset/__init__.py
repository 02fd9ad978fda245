"""What is stored: Parquet files, the manifests that commit them, and how they are read, verified and maintained."""
